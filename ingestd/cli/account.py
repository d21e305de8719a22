"""Commands about accounts of the embedded SFTP server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingestd.cli.context import App, FeedName, echo_json, json_option, pass_app
from ingestd.errors import UsageError

if TYPE_CHECKING:
    from ingestd.server.accounts import Account


@click.group()
def account() -> None:
    """Look after who may log in to the embedded SFTP server."""


@account.command("add")
@click.argument("feed", type=FeedName())
@click.option("--key", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A .pub file.")
@click.option("--password-stdin", is_flag=True, help="Allow a password too, which is read from stdin: one line.")
@click.option("--name", help="The login name. [default: the feed's name]")
@json_option
@pass_app
def add(app: App, feed: str, key_file: Path | None, password_stdin: bool, name: str | None, as_json: bool) -> None:
    """Add an account, or another key to it; it acts at once."""
    from ingestd.server.accounts import Accounts
    from ingestd.server.keys import parse_public_key

    if feed not in app.config.feeds:
        known = ", ".join(sorted(app.config.feeds)) or "none"
        raise UsageError(f"there is no feed {feed}; the configuration has: {known}")
    if not key_file and not password_stdin:
        raise UsageError("an account needs --key FILE (the vendor's .pub file), or --password-stdin")
    key = parse_public_key(key_file.read_text(encoding="utf-8", errors="replace")) if key_file else None
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    made = Accounts(app.config.state_dir).add(name or feed, feed, key, password)
    if as_json:
        echo_json(_about(made))
        return
    click.echo(f"{made.name} may push to {made.feed}, with {_means(made)}.")
    if app.config.server is None:
        click.echo("The embedded server is off: the configuration has no [server].", err=True)


@account.command("list")
@json_option
@pass_app
def list_accounts(app: App, as_json: bool) -> None:
    """List accounts, their feeds and keys."""
    from ingestd.server.accounts import Accounts

    found = Accounts(app.config.state_dir).all()
    if as_json:
        echo_json([_about(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.name}: feed {one.feed}, {_means(one)}")
        for key in one.keys:
            click.echo(f"  {key.kind} {key.fingerprint} {key.comment}".rstrip())
    if not found:
        click.echo("There are no accounts; `ingestd account add FEED --key FILE` makes one.")


@account.command("remove")
@click.argument("name")
@pass_app
def remove(app: App, name: str) -> None:
    """Remove an account; sessions that are open go on to their end."""
    from ingestd.server.accounts import Accounts

    Accounts(app.config.state_dir).remove(name)
    click.echo(f"{name} may log in no more.")


def _about(made: "Account") -> dict[str, Any]:
    keys = [{"kind": key.kind, "fingerprint": key.fingerprint, "comment": key.comment} for key in made.keys]
    return {"name": made.name, "feed": made.feed, "keys": keys, "password": made.password is not None}


def _means(made: "Account") -> str:
    keys = f"{len(made.keys)} key{'' if len(made.keys) == 1 else 's'}"
    return f"{keys} and a password" if made.password else keys


COMMANDS = (account,)
