"""Commands that put right what went wrong: in a sink, or in a run that should not have been."""

import click

from ingestd.cli import history
from ingestd.cli.context import App, FeedName, echo_json, json_option, pass_app


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("sink")
@json_option
@pass_app
def reconcile(app: App, feed: str, sink: str, as_json: bool) -> None:
    """Compare what a sink has with what it should have; the repair is planned and waits for consent."""
    from ingestd.cli import screen

    with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
        run = opened.reconcile(sink)
    if run:
        history.finish(run, as_json=as_json)
    if as_json:
        echo_json(None)
    else:
        click.echo(f"{sink} has all that it should have, as it should be.")


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
    if made:
        history.finish(made, as_json=as_json)
    if as_json:
        echo_json(None)
    else:
        click.echo(f"Nothing of what {run} changed stands any more; there is nothing to undo.")


COMMANDS = (reconcile, undo)
