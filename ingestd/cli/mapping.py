"""The command about value maps."""

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


def _told(becomes: str | None) -> str:
    return "— not mapped" if becomes is None else becomes or "(blank)"


COMMANDS = (maps,)
