"""What commands share: the configuration, the feeds, options, and the choice between tables and JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingestd.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ingestd.config import Config
    from ingestd.feed import Feed
    from ingestd.stages import Show

_Command = TypeVar("_Command", bound=Callable[..., Any])


class App:
    """The configuration, read when a command first wants it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @cached_property
    def config(self) -> "Config":
        """Return the configuration, with the log set up as it says.

        Raises:
            ConfigError: there is none, or it is wrong.
        """
        from ingestd import config, log

        found = config.load(config.find(self._path))
        log.configure(found.log.level)
        return found

    def reload(self) -> None:
        """Read the configuration anew; while it is wrong, the one in force stays, and the log says why."""
        import structlog

        before = self.config
        del self.config
        try:
            structlog.get_logger().info("config.loaded", feeds=len(self.config.feeds))
        except ConfigError as error:
            self.config = before
            structlog.get_logger().error("config.refused", count=len(error.problems))

    @contextmanager
    def feed(self, name: str, show: "Show | None" = None) -> Iterator["Feed"]:
        """Open one feed.

        Raises:
            UsageError: the configuration has no such feed.
        """
        if name not in self.config.feeds:
            known = ", ".join(sorted(self.config.feeds)) or "none"
            raise UsageError(f"there is no feed {name}; the configuration has: {known}")
        feed = self.open_feed(name, show)
        try:
            yield feed
        finally:
            feed.close()

    def open_feed(self, name: str, show: "Show | None" = None) -> "Feed":
        """Return a feed that the caller closes."""
        from ingestd.feed import Feed
        from ingestd.rulebook import rules_of

        settings = self.config.feeds[name]
        rules, state_dir = rules_of(settings), self.config.state_dir
        served_inbox = state_dir / "server" / name / "inbox" if self.config.server else None
        return Feed(settings, rules, state_dir, show=show, served_inbox=served_inbox)

    def open_feeds(self, show: "Show | None" = None) -> tuple[list["Feed"], list[str]]:
        """Return all feeds, which the caller closes, and the names of those whose store cannot be opened.

        Such a one is told in the log and left out: no feed's trouble is another's.
        """
        import sqlite3

        import structlog

        from ingestd.daemon import describe

        feeds, failed = [], []
        for name in self.config.feeds:
            try:
                feeds.append(self.open_feed(name, show))
            except (OSError, sqlite3.Error) as error:
                structlog.get_logger().error("feed.failed", feed=name, **describe(error))
                failed.append(name)
        return feeds, failed

    @contextmanager
    def feed_of(self, run: str, show: "Show | None" = None) -> Iterator["Feed"]:
        """Open the feed that a run belongs to.

        Raises:
            UsageError: the run's name does not begin with that of a feed.
        """
        name, dot, number = run.rpartition(".")
        if not dot or not number.isdigit():
            raise UsageError(f"{run} is not the name of a run; they look like springfield.17 (`ingestd runs`)")
        with self.feed(name, show) as feed:
            yield feed


pass_app = click.make_pass_decorator(App)


def json_option(command: _Command) -> _Command:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")(command)


def echo_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


class FeedName(click.ParamType[str]):
    """A feed's name, completed from the configuration."""

    name = "feed"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:  # noqa: ARG002
        """Offer the feeds of the configuration that is found without being named."""
        from click.shell_completion import CompletionItem

        from ingestd import config

        folder = config.find(None).parent / "feeds"
        return [CompletionItem(file.stem) for file in sorted(folder.glob(f"{incomplete}*.toml"))]


class SinkName(click.ParamType[str]):
    """The name of one of a feed's sinks, completed from the feed's configuration."""

    name = "sink"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:  # noqa: ARG002
        """Offer the sinks of the feed that is named before; none while the configuration is wrong."""
        from click.shell_completion import CompletionItem

        from ingestd import config

        try:
            feed = config.load(config.find(None)).feeds.get(ctx.params.get("feed", ""))
        except ConfigError:
            return []
        return [CompletionItem(one.key) for one in feed.sinks if one.key.startswith(incomplete)] if feed else []


def sink_option(command: _Command) -> _Command:
    """Give a command `--sink`."""
    return click.option("--sink", type=SinkName(), help="Of several sinks: the one to tell of.")(command)


class Digest(click.ParamType[str]):
    """The SHA-256 of a plan, or at least its first twelve digits."""

    name = "digest"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form."""
        found = value.strip().lower()
        if not 12 <= len(found) <= 64 or set(found) - set("0123456789abcdef"):
            self.fail("must be 12 to 64 hexadecimal digits, as `ingestd plan` prints them", param, ctx)
        return found
