"""The commands about scope and value maps."""

import click

from ingestd.cli.context import App, FeedName, echo_json, json_option, pass_app


@click.command()
@click.argument("feed", type=FeedName())
@click.option(
    "--toml", "as_toml", is_flag=True, help="Print the unmapped values as TOML, to fill in for the rules file."
)
@json_option
@pass_app
def maps(app: App, feed: str, as_toml: bool, as_json: bool) -> None:
    """Show the values found in the roster and what each value map makes of them; unmapped ones first."""
    from ingestd.cli import screen
    from ingestd.maps import map_entries, render_toml

    with app.feed(feed) as opened:
        entries = map_entries(opened)
    if as_json:
        echo_json(entries)
    elif as_toml:
        click.echo(render_toml(entries), nl=False)
    elif entries:
        rows = [
            (one["map"], one["value"] or "(blank)", _told(one["becomes"]), one["count"], ", ".join(one["fields"]))
            for one in entries
        ]
        columns = ("map", "value", "becomes", "found#", "for")
        screen.console().print(screen.table("", columns, rows))
    else:
        click.echo("The rules ask no value map, or the feed has no roster yet.")


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("table", required=False)
@json_option
@pass_app
def scope(app: App, feed: str, table: str | None, as_json: bool) -> None:
    """Show how many records are out of scope and why; with TABLE, which ones."""
    from ingestd.cli import screen
    from ingestd.leftout import count_left_out, list_left_out

    with app.feed(feed) as opened:
        found = list_left_out(opened, table) if table else count_left_out(opened)
    if as_json:
        echo_json(found)
    elif not found:
        click.echo("No record is left out.")
    elif table:
        columns = ("sourcedId", "why it is left out")
        screen.console().print(screen.table(table, columns, [(one["sourcedId"], one["why"]) for one in found]))
    else:
        rows = [(one["table"], one["count"], one["of"], one["why"]) for one in found]
        screen.console().print(screen.table("", ("table", "left out#", "of#", "why"), rows))


def _told(becomes: str | None) -> str:
    return "— not mapped" if becomes is None else becomes or "(blank)"


COMMANDS = (scope, maps)
