"""Commands about drops: check, plan, apply, once, run."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ingestd.cli import history
from ingestd.cli.context import App, Digest, FeedName, echo_json, json_option, pass_app, sink_option
from ingestd.core.ways import DateForm, Encoding, Ways
from ingestd.errors import UsageError

if TYPE_CHECKING:
    from ingestd.pipeline import Prepared
    from ingestd.store import Run

VERSIONS = ("1.0", "1.1", "1.2")
"""Those of the schemas, which take too long to import for `--help`."""
EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("zips", nargs=-1, required=True, type=EXISTING, metavar="ZIP...")
@click.option("--oneroster", type=click.Choice(VERSIONS), help="Read as this version, whatever the manifest says.")
@click.option("--strict", is_flag=True, help="Repair nothing: all that is switchable is an error.")
@click.option("--encoding", type=click.Choice([*map(str, Encoding)]), help="What lines are in that are not UTF-8.")
@click.option(
    "--date-form", type=click.Choice([*map(str, DateForm)]), help="How dates are written that could be read otherwise."
)
@click.option("--country", metavar="XX", help="Where telephone numbers are dialled; else they are not checked.")
@json_option
def check(
    zips: tuple[Path, ...],
    oneroster: str | None,
    strict: bool,
    encoding: str | None,
    date_form: str | None,
    country: str | None,
    as_json: bool,
) -> None:
    """Check zips, or folders of CSVs; no configuration is needed."""
    from ingestd.checking import check_package
    from ingestd.cli import screen

    custom = Ways(
        strict=strict,
        encoding=Encoding(encoding) if encoding else None,
        date_form=DateForm(date_form) if date_form else None,
        country=_country(country),
    )
    with screen.progress(enabled=not as_json) as show:
        found = [check_package(path, oneroster=oneroster, ways=custom, show=show) for path in zips]
    if as_json:
        named = [{"file": str(path), **one} for path, one in zip(zips, found, strict=True)]
        echo_json(found[0] if len(found) == 1 else named)
    else:
        out = screen.console()
        for i, (path, one) in enumerate(zip(zips, found, strict=True)):
            if i:
                out.print()
            screen.print_check(path.name, one, out)
    sys.exit(0 if all(one["ok"] for one in found) else 1)


def _country(given: str | None) -> str | None:
    from ingestd.config.values import parse_country

    try:
        return parse_country(given) if given else None
    except ValueError as error:
        raise UsageError(f"--country: {given!r} {error}") from None


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("zip_path", required=False, type=EXISTING, metavar="[ZIP]")
@click.option("--why", "with_why", is_flag=True, help="Tell of each action which record it is for, and what changed.")
@click.option("--values", is_flag=True, help="With --why: show values, not only the names of columns that changed.")
@sink_option
@json_option
@pass_app
def plan(
    app: App, feed: str, zip_path: Path | None, with_why: bool, values: bool, sink: str | None, as_json: bool
) -> None:
    """Show what would happen; nothing is changed.

    Without ZIP: the plan of the held run, or a new plan from the snapshot.
    """
    from ingestd.cli import screen
    from ingestd.why import explain_plan

    if values and not with_why:
        raise UsageError("--values goes with --why; a plan without it has none")
    with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
        opened.runs.sinks.owned(sink)  # refuses one that there is not, before anything is read
        held = None if zip_path else opened.held_run()
        prepared = opened.preview(zip_path)
        about = planned(feed, held, prepared)
        if sink:
            about["sink"] = sink
            about["actions"] = prepared.shares[sink].plan.counts() if sink in prepared.shares else {}
        if with_why:
            about["why"] = explain_plan(opened, prepared, values=values, sink=sink)
    finish_plan(about, as_json=as_json)


def finish_plan(about: Mapping[str, Any], *, as_json: bool) -> NoReturn:
    """Print a plan that was only looked at, and end."""
    from ingestd.cli import screen, story

    if as_json:
        echo_json(about)
    else:
        screen.print_plan(about, screen.console(), *story.reasons(about.get("why", ())))
    sys.exit(_exit_code(about))


def planned(feed: str, held: "Run | None", prepared: "Prepared") -> dict[str, Any]:
    """Return what is printed of a plan, be it that of a held run."""
    document = prepared.document
    state = "rejected" if prepared.plan is None else "held" if prepared.breaches or held else "planned"
    return {
        "run": held.id if held else None,
        "feed": feed,
        "state": state,
        "digest": document.get("digest"),
        "changeset": document.get("changeset", {}),
        "breaches": document.get("breaches", []),
        "actions": document.get("actions", {}),
        "held_back": document.get("held_back", 0),
        **({"sinks": document["sinks"]} if "sinks" in document else {}),
        "left_out": document.get("left_out", []),
        "pinned": document.get("pinned", {}),
        "waiting": document.get("waiting", {}),
        "fields": document.get("fields", {}),
        "tables": document.get("tables", {}),
        "findings": document.get("findings", {}),
        "listed_findings": document.get("listed_findings", []),
    }


def _exit_code(about: Mapping[str, Any]) -> int:
    counts = about["findings"]
    if about["state"] == "rejected" or counts.get("error") or counts.get("catastrophic"):
        return 1
    return 3 if about["breaches"] else 0


@click.command()
@click.argument("feed", type=FeedName())
@click.argument("zip_path", type=EXISTING, metavar="ZIP")
@click.option("--plan", "digest", type=Digest(), help="Apply this plan and no other; consents to its breaches.")
@json_option
@pass_app
def apply(app: App, feed: str, zip_path: Path, digest: str | None, as_json: bool) -> None:
    """Run a zip now, the whole way. The zip stays where it is."""
    from ingestd.cli import screen

    if zip_path.is_dir():
        raise UsageError("apply takes a zip; `ingestd check` and `ingestd plan` take folders too")
    with screen.progress(enabled=not as_json) as show, app.feed(feed, show) as opened:
        run = opened.take_file(zip_path, digest=digest)
    history.finish(run, as_json=as_json)


@click.command()
@json_option
@pass_app
def once(app: App, as_json: bool) -> None:
    """Process what waits in every feed's sources, then exit."""
    from ingestd import daemon
    from ingestd.cli import screen
    from ingestd.exits import gravest

    app.config  # noqa: B018  faults of the configuration come before anything is opened
    many = len(app.config.feeds) > 1
    with screen.progress(enabled=not as_json and not many) as show:
        feeds, unopened = app.open_feeds(show)
        ended = daemon.once(feeds, pace=daemon.Pace(parallel_runs=app.config.parallel_runs))
    runs = [run for feed in feeds for run in feed.finished]
    if as_json:
        echo_json([history.listed(run.document) for run in runs])
    else:
        history.print_runs([run.document for run in runs], empty="Nothing was waiting.")
        for feed in feeds:
            for path, batch in feed.waiting:
                click.echo(f"{feed.name}: {path.name} stays in the inbox: {batch.message}")
    problems = [f"{feed.name}: {why}" for feed in feeds for source in feed.sources if (why := source.health())]
    for problem in problems:
        click.echo(problem, err=True)
    is_cut_short = ended.reason is daemon.Reason.STOP
    code = 4 if unopened or ended.failed or problems or is_cut_short else gravest(runs)
    sys.exit(code or (1 if any(feed.waiting for feed in feeds) else 0))


@click.command()
@pass_app
def run(app: App) -> None:
    """Run the daemon: watch every feed's sources until told to stop."""
    from ingestd import daemon, reading
    from ingestd.server.serve import Serving

    app.config  # noqa: B018  faults of the configuration come before anything is started
    reading.prepare()
    with daemon.listen_for_signals() as requests, Serving() as serving:
        while True:
            serving.follow(app.config)
            feeds, _unopened = app.open_feeds()
            rescan = min((one.rescan.total_seconds() for one in app.config.feeds.values()), default=30.0)
            pace = daemon.Pace(rescan=rescan, parallel_runs=app.config.parallel_runs)
            ended = daemon.run(feeds, pace=pace, requests=requests)
            if ended.reason is not daemon.Reason.RELOAD:
                return
            app.reload()


COMMANDS = (check, plan, apply, once, run)
