"""The command about ids that change."""

import sys
from pathlib import Path

import click

from ingestd.cli import history
from ingestd.cli.context import App, FeedName, echo_json, json_option, pass_app
from ingestd.cli.drops import finish_plan, planned
from ingestd.errors import UsageError


@click.command()
@click.argument("feed", type=FeedName())
@click.argument(
    "path", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[OLD_NEW.csv]"
)
@click.option(
    "--table", default="users", show_default=True, help="Whose ids they are, in a list without a column for it."
)
@click.option("--preview", is_flag=True, help="Show what would happen; nothing is changed.")
@click.option("--suggest", is_flag=True, help="Change nothing; print the list that the held drop suggests.")
@json_option
@pass_app
def rekey(app: App, feed: str, path: Path | None, table: str, preview: bool, suggest: bool, as_json: bool) -> None:
    """Give records other sourcedIds; they stay who they are, in the application too.

    OLD_NEW.csv has the columns old and new, or table, old and new.
    """
    from ingestd.cli import screen
    from ingestd.rekey import lines_of, read_list
    from ingestd.suggest import suggest_ids

    if suggest == bool(path) or (preview and suggest):
        raise UsageError("name a list of ids, or ask for one with --suggest")
    if path and preview:
        with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
            prepared = opened.preview(None, ids=read_list(path, table))
        finish_plan(planned(feed, None, prepared), as_json=as_json)
    if path:
        with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
            run = opened.change_ids(read_list(path, table))
        history.finish(run, as_json=as_json)
    with app.feed(feed) as opened:
        found = suggest_ids(opened)
    if as_json:
        echo_json(found)
    else:
        click.echo(lines_of(found), nl=False)
    if not found:
        click.echo("The held drop brings no known record under another sourcedId.", err=True)
    sys.exit(0 if found else 1)


COMMANDS = (rekey,)
