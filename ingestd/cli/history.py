"""Commands about what happened: status, runs, show, release, discard, explain."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ingestd.cli.context import App, Digest, FeedName, echo_json, json_option, pass_app, sink_option
from ingestd.errors import UsageError

if TYPE_CHECKING:
    from ingestd.store import Run

LISTED = ("run", "feed", "drop", "sha256", "state", "received_at", "digest", "changeset", "actions", "findings")
"""What `runs --json` says of a run (DESIGN section 7)."""
_EMPTY: Mapping[str, Any] = {"changeset": {}, "actions": {}, "findings": {}}
_SHOWN: Mapping[str, Any] = {"digest": None, **_EMPTY, "breaches": [], "outcomes": [], "stages": {}}


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as `runs --json` lists it."""
    return {name: document.get(name, _EMPTY.get(name)) for name in LISTED}


@click.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show each feed's last run, what is held, and what waits in its inbox."""
    from ingestd.cli import screen

    found = [_status(app, name) for name in app.config.feeds]
    if as_json:
        echo_json(found)
        return
    rows = [
        (one["feed"], screen.word(one["state"] or "-"), one["last_run"], screen.when(one["received_at"]),
         one["held"] if one["held"] != one["last_run"] else "", len(one["behind"]), one["inbox"])
        for one in found
    ]  # fmt: skip
    columns = ("feed", "state", "last run", "received (UTC)", "also held", "behind it#", "inbox#")
    screen.console().print(screen.table("", columns, rows) if rows else "The configuration has no feeds.")


def _status(app: App, name: str) -> dict[str, Any]:
    from ingestd.config import FolderSource
    from ingestd.core.state import State
    from schemas import shapes

    with app.feed(name) as feed:
        last = next(iter(feed.store.runs(limit=1)), None)
        held = feed.held_run()
        inboxes = [source.path for source in feed.settings.sources if isinstance(source, FolderSource)]
        waiting = sum(path.is_file() for inbox in inboxes if inbox.is_dir() for path in inbox.iterdir())
        return {
            "feed": name,
            "name": feed.settings.name,
            "state": str(last.state) if last else None,
            "last_run": last.id if last else None,
            "received_at": last.document["received_at"] if last else None,
            "held": held.id if held else None,
            "behind": [run.id for run in reversed(feed.store.runs(State.RECEIVED)) if run.document.get("waits_for")],
            "inbox": waiting,
            "busy": feed.store.is_busy(),
            "live": {table: feed.store.snapshot.count(table) for table in shapes()},
        }


@click.command()
@click.argument("feed", type=FeedName(), required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many runs of each feed.")
@json_option
@pass_app
def runs(app: App, feed: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    documents: list[Mapping[str, Any]] = []
    for name in [feed] if feed else app.config.feeds:
        with app.feed(name) as opened:
            documents += [run.document for run in opened.store.runs(limit=limit)]
    documents.sort(key=lambda one: one["received_at"], reverse=True)
    if as_json:
        echo_json([listed(one) for one in documents])
    else:
        print_runs(documents, empty="No runs yet.")


def print_runs(documents: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Print runs as a table, or a word if there are none."""
    from ingestd.cli import screen

    screen.console().print(screen.runs(documents) if documents else empty)


@click.command()
@click.argument("run")
@json_option
@pass_app
def show(app: App, run: str, as_json: bool) -> None:
    """Show one run whole."""
    with app.feed_of(run) as feed:
        try:
            document = feed.store.run(run).document
        except KeyError:
            raise UsageError(f"there is no run {run}; `ingestd runs` lists them") from None
        folder = feed.filing.find(run)
    about = {**_SHOWN, **document, "folder": str(folder) if folder else None}
    if as_json:
        echo_json(about)
    else:
        print_run(about)


def print_run(document: Mapping[str, Any]) -> None:
    """Print one run: what came, what is wrong, what changed, what was done."""
    from ingestd.cli import screen

    screen.print_run(document, screen.console())


def finish(run: "Run", *, as_json: bool) -> NoReturn:
    """Print a run and leave with its exit code."""
    from ingestd.cli import screen
    from ingestd.exits import exit_code

    if as_json:
        echo_json(run.document)
    else:
        screen.print_run(run.document, screen.console())
    sys.exit(exit_code(run))


def finish_if_any(run: "Run | None", nothing: str, *, as_json: bool) -> None:
    """Print a run and leave with its exit code; if there was nothing to do, say so: `nothing`, or null in JSON."""
    if run is not None:
        finish(run, as_json=as_json)
    if as_json:
        echo_json(None)
    else:
        click.echo(nothing)


@click.command()
@click.argument("run")
@click.option("--plan", "digest", type=Digest(), required=True, help="The digest of the plan that was looked at.")
@json_option
@pass_app
def release(app: App, run: str, digest: str, as_json: bool) -> None:
    """Consent to a held run: apply its plan, if it is still the one that was looked at."""
    from ingestd.cli import screen

    with screen.progress(enabled=not as_json) as watch, app.feed_of(run, watch) as feed:
        done = feed.release(run, digest)
    finish(done, as_json=as_json)


@click.command()
@click.argument("run")
@json_option
@pass_app
def discard(app: App, run: str, as_json: bool) -> None:
    """Refuse a held run; nothing of it is applied."""
    with app.feed_of(run) as feed:
        done = feed.discard(run)
    if as_json:
        echo_json(done.document)
    else:
        click.echo(f"{run} is discarded; nothing of it was applied.")


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("table")
@click.argument("sourced_id", metavar="SOURCEDID")
@click.option("--values", is_flag=True, help="Show values, not only the names of columns that changed.")
@sink_option
@json_option
@pass_app
def explain(app: App, feed: str, table: str, sourced_id: str, values: bool, sink: str | None, as_json: bool) -> None:
    """Tell everything that ever happened to one record, and why.

    Its versions, findings, what scope decides of it today, which target records the rules make of it and how, and which
    runs wrote those.
    """
    from ingestd.cli import screen
    from ingestd.cli.story import print_story
    from ingestd.explain import explain_record

    with app.feed(feed) as opened:
        story = explain_record(opened, table, sourced_id, values=values, sink=sink)
    if as_json:
        echo_json(story)
        return
    print_story(story, screen.console())


COMMANDS = (status, runs, show, release, discard, explain)
