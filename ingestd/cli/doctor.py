"""The command that looks at the machine: doctor."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ingestd.cli.context import App, echo_json, json_option, pass_app
from ingestd.cli.setup import config_problems

if TYPE_CHECKING:
    from ingestd.doctor import Check


@click.command()
@click.option("--network", is_flag=True, help="Speak to the vendors' servers and to the applications too.")
@json_option
@pass_app
def doctor(app: App, network: bool, as_json: bool) -> None:
    """Look for what is wrong on this machine, and tell what to do.

    Run it as root to have OpenSSH looked at too, else as the daemon's user.
    """
    from ingestd.doctor import State

    problems = config_problems(app)
    checks = list(_checks(app, problems, network=network))
    is_sound = not any(check.state is State.FAULT for check in checks)
    if as_json:
        echo_json({"ok": is_sound, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    sys.exit(0 if is_sound else 2 if problems else 4)


def _checks(app: App, problems: list[str], *, network: bool) -> Iterator["Check"]:
    """Yield all checks; where the configuration has faults, those and what the machine itself shows."""
    from ingestd.doctor import configuration, examine, look_at_machine

    yield from configuration(problems)
    yield from look_at_machine()
    if not problems:
        yield from examine(app.config, network=network)


def _print(checks: list["Check"]) -> None:
    from ingestd.cli import screen

    rows = [
        (screen.word(check.state), check.name, f"{check.found}. To do: {check.remedy}" if check.remedy else check.found)
        for check in checks
    ]
    screen.console().print(screen.table("", ("", "check", "what was found"), rows))


COMMANDS = (doctor,)
