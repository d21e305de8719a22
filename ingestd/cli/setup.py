"""Commands to begin with: init, config check, generate, demo, completion."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingestd.cli.context import App, echo_json, json_option, pass_app
from ingestd.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ingestd.config import Feed


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def init(folder: Path) -> None:
    """Write a commented configuration and the folders."""
    from ingestd.init import init as write

    for made in write(folder):
        click.echo(made)
    click.echo(f"\nNext: edit {folder}/feeds/example.toml, then\n  ingestd --config {folder}/ingestd.toml config check")


@click.group()
def config() -> None:
    """Look after the configuration."""


@config.command("check")
@json_option
@pass_app
def config_check(app: App, as_json: bool) -> None:
    """Tell all faults of the configuration at once.

    If it has none, also what to know of the student information systems that feeds name.
    """
    from ingestd.core.report.words import plural

    problems = config_problems(app)
    feeds = 0 if problems else len(app.config.feeds)
    systems = {} if problems else _systems(app)
    if as_json:
        echo_json({"ok": not problems, "feeds": feeds, "problems": problems} | ({"sis": systems} if systems else {}))
    else:
        for problem in problems:
            click.echo(problem, err=True)
        said = plural(len(problems), "fault") if problems else f"The configuration is sound: {plural(feeds, 'feed')}"
        click.echo(f"{said}.")
        for feed, system in systems.items():
            click.echo(f"\n{feed}: {system['name']}")
            for quirk in system["quirks"]:
                click.echo(f"  - {quirk}")
    sys.exit(2 if problems else 0)


def _systems(app: App) -> dict[str, dict[str, Any]]:
    """Return of each feed that names its student information system what to know of that."""
    named = {name: feed.particulars for name, feed in app.config.feeds.items()}
    return {name: {"name": one.name, "quirks": list(one.quirks)} for name, one in named.items() if one}


def config_problems(app: App) -> list[str]:
    """Return all faults of the configuration and of the rules that it names."""
    try:
        feeds = app.config.feeds.values()
    except ConfigError as error:
        return [*error.problems]
    return list(dict.fromkeys(problem for feed in feeds for problem in _rules_problems(feed)))


def _rules_problems(feed: "Feed") -> list[str]:
    """Return the faults of a feed's rules; if they have none, what of the feed does not fit to them."""
    from ingestd.rulebook import pins_of, rules_of
    from ingestd.sinks.base import check_sink

    try:
        rules = rules_of(feed)
    except ConfigError as error:
        return [*error.problems]
    kinds = sorted({sink.kind for sink in feed.sinks})
    problems = [f"{feed.rules}: {problem}" for kind in kinds for problem in check_sink(kind, rules)]
    try:
        pins_of(feed, rules)
    except ConfigError as error:
        problems += error.problems
    return problems


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="ZIP")
@click.option("--users", type=click.IntRange(10), default=1000, show_default=True, help="How many users on day 1.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same district.")
@click.option("--day", type=click.IntRange(1), default=1, show_default=True, help="Day N of the district's life.")
@click.option("--changed", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Share changed a day.")
@click.option("--added", type=click.FloatRange(0, 1), default=0.003, show_default=True, help="Share added a day.")
@click.option("--removed", type=click.FloatRange(0, 1), default=0.002, show_default=True, help="Share removed a day.")
@click.option("--lose", metavar="TABLE=SHARE", help="Lose a share of a table's rows, as a broken export does.")
@json_option
def generate(
    target: Path, users: int, seed: int, day: int, changed: float, added: float, removed: float, lose: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the drop of a synthetic district, to try things with."""
    from ingestd import generate as made

    roster = made.district(users, seed)
    for number in range(2, day + 1):
        roster = made.next_day(roster, day=number, seed=seed, changed=changed, added=added, removed=removed)
    if lose:
        table, share = _loss(lose, tuple(roster))
        roster = made.lose(roster, table, share, seed)
    made.write_zip(roster, target)
    counts = made.counts(roster)
    if as_json:
        echo_json({"zip": str(target), "tables": counts})
    else:
        click.echo(f"{target}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))


def _loss(text: str, tables: tuple[str, ...]) -> tuple[str, float]:
    table, _, share = text.partition("=")
    try:
        found = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if table not in tables or not 0 < found <= 1:
        raise UsageError(f"--lose {text}: write a table and a share, such as users=40%; tables: {', '.join(tables)}")
    return table, found


@click.command()
@click.option("--users", type=click.IntRange(50), default=400, show_default=True, help="How large a district.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this folder, and leave it.")
def demo(users: int, keep: Path | None) -> None:
    """Show the whole of it on a synthetic district, in a temporary folder."""
    from ingestd.cli.demo import demo as show

    show(users=users, keep=keep)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete ingestd's commands.

    For bash: eval "$(ingestd completion bash)"
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click knows all of the choices"
    commands = click.get_current_context().find_root().command
    click.echo(found(commands, {}, "ingestd", "_INGESTD_COMPLETE").source())


COMMANDS = (init, config, generate, demo, completion)
