"""Commands that put right what went wrong: in a sink, or in a run that should not have been."""

import click

from ingestd.cli import history
from ingestd.cli.context import App, FeedName, SinkName, json_option, pass_app


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("sink", type=SinkName())
@json_option
@pass_app
def reconcile(app: App, feed: str, sink: str, as_json: bool) -> None:
    """Compare what a sink has with what it should have; the repair is planned and waits for consent."""
    from ingestd.cli import screen

    with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
        run = opened.reconcile(sink)
    history.finish_if_any(run, f"{sink} has all that it should have, as it should be.", as_json=as_json)


@click.command()
@click.argument("run")
@json_option
@pass_app
def undo(app: App, run: str, as_json: bool) -> None:
    """Plan the reverse of an applied run; it waits for consent.

    What later runs changed once more is let be. The next drop brings back what the source system still says.
    """
    from ingestd.cli import screen

    with screen.progress(enabled=not as_json) as show, app.feed_of(run, show) as opened:
        made = opened.undo(run)
    nothing = f"Nothing of what {run} changed stands any more; there is nothing to undo."
    history.finish_if_any(made, nothing, as_json=as_json)


@click.command()
@click.argument("run")
@json_option
@pass_app
def retry(app: App, run: str, as_json: bool) -> None:
    """Try again what a run left undone.

    A run that failed is taken up where it stopped. Of one that was applied, the actions that failed are planned anew,
    with all else that is to be done for its feed by now.
    """
    from ingestd.cli import screen

    with screen.progress(enabled=not as_json) as watch, app.feed_of(run, watch) as feed:
        done = feed.retry(run)
    history.finish_if_any(done, f"Nothing is left to do of {run}.", as_json=as_json)


COMMANDS = (reconcile, undo, retry)
