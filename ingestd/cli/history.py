"""Commands about what happened: status, runs, show, release, discard, explain."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ingestd.cli.context import App, Digest, FeedName, echo_json, json_option, pass_app
from ingestd.errors import UsageError

LISTED = ("run", "feed", "drop", "sha256", "state", "received_at", "digest", "changeset", "actions", "findings")
"""What `runs --json` says of a run (DESIGN section 7)."""
_SHOWN: Mapping[str, Any] = {"digest": None, "changeset": {}, "actions": {}, "breaches": [], "outcomes": [], "stages": {}}


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as `runs --json` lists it."""
    empty: Mapping[str, Any] = {"changeset": {}, "actions": {}, "findings": {}}
    return {name: document.get(name, empty.get(name)) for name in LISTED}


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
        (one["feed"], screen.word(one["state"] or "-"), one["last_run"], _when(one["received_at"]), one["held"], one["inbox"])
        for one in found
    ]
    columns = ("feed", "state", "last run", "received", "held", "inbox#")
    screen.console().print(screen.table("", columns, rows) if rows else "The configuration has no feeds.")


def _status(app: App, name: str) -> dict[str, Any]:
    with app.feed(name) as feed:
        last = next(iter(feed.store.runs(limit=1)), None)
        held = feed.held_run()
        inboxes = [source.path for source in feed.settings.sources if hasattr(source, "path")]
        waiting = sum(1 for inbox in inboxes if inbox.is_dir() for path in inbox.iterdir() if path.is_file())
        return {
            "feed": name,
            "name": feed.settings.name,
            "state": str(last.state) if last else None,
            "last_run": last.id if last else None,
            "received_at": last.document["received_at"] if last else None,
            "held": held.id if held else None,
            "inbox": waiting,
            "busy": feed.store.is_busy(),
            "live": {table: feed.store.snapshot.count(table) for table in feed.tables},
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

    rows = [
        (one["run"], screen.word(one["state"]), _when(one["received_at"]), *_sums(one), _faults(one)) for one in documents
    ]
    columns = ("run", "state", "received", "new#", "changed#", "gone#", "findings")
    screen.console().print(screen.table("", columns, rows) if rows else empty)


def _sums(document: Mapping[str, Any]) -> tuple[int, ...]:
    changes = document.get("changeset", {}).values()
    return tuple(sum(one[name] for one in changes) for name in ("created", "updated", "deleted"))


def _faults(document: Mapping[str, Any]) -> str:
    counts = document.get("findings", {})
    return ", ".join(f"{counts[name]:,} {name}" for name in ("catastrophic", "error", "warning") if counts.get(name))


def _when(iso: str | None) -> str:
    return iso[:16].replace("T", " ") if iso else ""


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

    out = screen.console()
    out.print(f"[bold]{document['run']}[/]", screen.word(document["state"]), document.get("drop") or "re-plan")
    if document.get("error"):
        out.print("Fault:", document["error"], style="red")
    if document.get("tables"):
        out.print(screen.came(document["tables"]))
    if document.get("listed_findings"):
        out.print(screen.findings(document["listed_findings"]))
    if document.get("changeset"):
        out.print(screen.changeset(document["changeset"]))
    for breach in document.get("breaches", ()):
        out.print("Breach:", breach["message"], style="yellow")
    if document.get("actions"):
        out.print(screen.actions(document["actions"]))
    if document["state"] == "held":
        out.print(f"Consent: ingestd release {document['run']} --plan {document['digest']}", soft_wrap=True)
        out.print(f"Refuse:  ingestd discard {document['run']}")
    if document.get("folder"):
        out.print(f"Report:  {document['folder']}/report.html", soft_wrap=True)


@click.command()
@click.argument("run")
@click.option("--plan", "digest", type=Digest(), required=True, help="The digest of the plan that was looked at.")
@json_option
@pass_app
def release(app: App, run: str, digest: str, as_json: bool) -> None:
    """Consent to a held run: apply its plan, if it is still the one that was looked at."""
    from ingestd.cli import screen
    from ingestd.cli.drops import finish

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
@json_option
@pass_app
def explain(app: App, feed: str, table: str, sourced_id: str, values: bool, as_json: bool) -> None:
    """Tell everything that ever happened to one record, and why."""
    from ingestd.cli import screen
    from ingestd.explain import explain_record

    with app.feed(feed) as opened:
        story = explain_record(opened, table, sourced_id, values=values)
    if as_json:
        echo_json(story)
        return
    out = screen.console()
    rows = [(one["at"][:16].replace("T", " "), one["run"], one["what"], _told(one)) for one in story["events"]]
    out.print(screen.table(f"{table} {sourced_id}", ("when (UTC)", "run", "what", "columns"), rows))
    owned = [(one["target"], one["key"], "active" if one["active"] else "inactive") for one in story["owned"]]
    out.print(screen.table("In the application", ("target", "key", "state"), owned) if owned else "Not in any target.")


def _told(event: Mapping[str, Any]) -> str:
    if not isinstance(event["columns"], dict):
        return ", ".join(event["columns"])
    return "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in event["columns"].items())


COMMANDS = (status, runs, show, release, discard, explain)
