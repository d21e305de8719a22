"""The command line. Commands are thin: they read the configuration, call, print, and exit as DESIGN section 7 says.

What takes long to import is imported where it is used, so that `--help` answers at once.
"""

import json
import os
import sys
from pathlib import Path

import click

from ingestd.cli import account, codes, doctor, drops, history, mapping, rekey, repair, setup
from ingestd.cli.context import App
from ingestd.errors import ConfigError, IngestdError


class _Commands(click.Group):
    """Turns our own errors into words and exit codes."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours is told without a traceback."""
        try:
            return super().invoke(ctx)
        except IngestdError as error:
            _tell(error, as_json=bool(ctx.params.get("as_json") or "--json" in sys.argv))
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # the reader of our output has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def _tell(error: IngestdError, *, as_json: bool) -> None:
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    if as_json:
        click.echo(json.dumps({"error": type(error).__name__, "problems": problems}))
    for problem in problems:
        click.echo(f"ingestd: {problem}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration file. [default: $INGESTD_CONFIG, /etc/ingestd/ingestd.toml, config/ingestd.toml]",
)
@click.version_option(package_name="ingestd", message="ingestd %(version)s")
@click.pass_context
def main(ctx: click.Context, config_path: Path | None) -> None:
    """Take in school rosters: check, compare, plan, apply exactly once."""
    ctx.obj = App(config_path)


for group in (setup, doctor, drops, history, account, codes, mapping, rekey, repair):
    for command in group.COMMANDS:
        main.add_command(command)
