"""Whole sets of files of any version and mode, and the cases that are made of them.

A `Sent` knows what target and snapshot hold once it is applied, so that a case is told in a few words: what is sent,
what comes of it, and the nearest that is right.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from builders import Roster, Row, csv_of
from corpus.case import Case, Made, Verdict
from corpus.sound import DAY_1, DAY_2, pack

from schemas import load

ANYWAY = "rules-need-column"
"""What is told of each set of 1.0 or 1.2, for the rules that a feed has by default read columns of 1.1."""
DATED = "2026-01-01T00:00:00.000Z"
"""When the records of deltas were last modified."""


@dataclass(frozen=True)
class Sent:
    """A drop, and what is there of the tables and columns that `after` names once it is applied."""

    zip: bytes
    after: Roster


def sent(
    roster: Roster,
    *,
    after: Roster | None = None,
    version: str = "1.1",
    modes: Mapping[str, str] | None = None,
    lacks: Collection[str] = (),
    **contents: bytes | None,
) -> Sent:
    """Return the drop of a roster; every table is bulk unless `modes` says otherwise.

    `after` is the roster itself if it is not given, `lacks` has columns that the headers do without. `users=…` puts
    other bytes in the place of `users.csv`, None leaves it out; 1.0 has no manifest.
    """
    declared = {**dict.fromkeys(roster, "bulk"), **(modes or {})}
    files: dict[str, bytes | None] = {} if version == "1.0" else {"manifest.csv": manifest_of(version, declared)}
    files |= {f"{name}.csv": file_of(name, rows, version, lacks) for name, rows in roster.items()}
    files |= {f"{name}.csv": content for name, content in contents.items()}
    return Sent(pack(files), roster if after is None else after)


def manifest_of(version: str, modes: Mapping[str, str]) -> bytes:
    """Return a manifest that speaks of every table of the version; those not in `modes` are absent."""
    properties = {"propertyName": "value", "manifest.version": "1.0", "oneroster.version": version}
    properties |= {f"file.{table}": modes.get(table, "absent") for table in load(version)}
    return "".join(f"{name},{value}\r\n" for name, value in properties.items()).encode()


def file_of(table: str, rows: Sequence[Row], version: str = "1.1", lacks: Collection[str] = ()) -> bytes:
    """Return the records of a table as a file, under the names that the version has for its columns."""
    columns = [column for column in load(version)[table].columns if column.name not in lacks]
    renamed = [{column.header: one.get(column.name, "") for column in columns} for one in rows]
    return csv_of(renamed, [column.header for column in columns]).encode()


def blank(table: str, version: str = "1.1", **cells: str) -> Row:
    """Return a record of any version's table; what is not given is blank."""
    return {**dict.fromkeys(load(version)[table].header, ""), **cells}


# Rosters ----------------------------------------------------------------------------------------------------------


def with_rows(roster: Roster, **more: Row | Sequence[Row]) -> Roster:
    """Return the roster with more records; a table that it does not have is made."""
    after = copy.deepcopy(roster)
    for table, rows in more.items():
        after[table] = [*after.get(table, ()), *([rows] if isinstance(rows, dict) else rows)]
    return after


def without_rows(roster: Roster, **gone: Collection[str]) -> Roster:
    """Return the roster without records, by table and sourcedId."""
    kept = {name: [one for one in roster[name] if one["sourcedId"] not in ids] for name, ids in gone.items()}
    return {**roster, **kept}


def with_all(roster: Roster, table: str, **cells: str) -> Roster:
    """Return the roster with the same cells in all records of a table."""
    return {**roster, table: [{**one, **cells} for one in roster[table]]}


def told(rows: Sequence[Row] | Row, status: str = "active", at: str = DATED) -> list[Row]:
    """Return records as a delta tells them."""
    return [{**one, "status": status, "dateLastModified": at} for one in ([rows] if isinstance(rows, dict) else rows)]


def changed_by(roster: Roster, delta: Roster, of: Collection[str] = ()) -> Roster:
    """Return the roster after a delta: records that it has are replaced or added, those named in `of` are gone."""
    after = dict(roster)
    for table, rows in delta.items():
        by_id = {one["sourcedId"]: one for one in (*roster.get(table, ()), *rows)}
        after[table] = [one for name, one in by_id.items() if name not in of]
    return after


def shaped(roster: Roster, version: str) -> Roster:
    """Return the roster with the columns that the version has; those of 1.0 and 1.1 alone are dropped."""
    tables = load(version)
    return {
        name: [{column: one.get(column, "") for column in tables[name].header} for one in rows]
        for name, rows in roster.items()
    }


def in_1_2(roster: Roster) -> Roster:
    """Return the roster as OneRoster 1.2 has it: each user has a primary role in the org that was in users.csv."""
    cells = {"roleType": "primary", "beginDate": "", "endDate": "", "userProfileSourcedId": ""}
    roles = [
        blank("roles", "1.2", sourcedId=f"R-{one['sourcedId']}", userSourcedId=one["sourcedId"], role=one["role"],
              orgSourcedId=one["orgSourcedIds"], **cells)
        for one in roster["users"]
    ]  # fmt: skip
    return {**shaped(roster, "1.2"), "roles": roles}


def in_1_0(roster: Roster) -> Roster:
    """Return the roster as OneRoster 1.0 has it, with the seventh file, which this feed does not take in."""
    return {**shaped(roster, "1.0"), "demographics": [blank("demographics", "1.0", sourcedId="U1")]}


# Cases ------------------------------------------------------------------------------------------------------------

PLAIN = sent(DAY_2)
FIRST = sent(DAY_1)


def refused(
    name: str, bad: Sent, code: str, file: str | None = None, *, twin: Sent = PLAIN, says: str = "",
    line: int | None = None, feed: str = "", day_1: Made = FIRST.zip,
) -> Case:  # fmt: skip
    """Return a case of which nothing is read."""
    return Case(
        name=name, bad=bad.zip, twin=twin.zip, verdict=Verdict.REJECTED, code=code, file=file, line=line, says=says,
        twin_after=twin.after, feed=feed, day_1=day_1,
    )  # fmt: skip


def held(
    name: str, bad: Sent, code: str, table: str | None, *, twin: Sent = PLAIN, says: str = "", feed: str = "",
    day_1: Made = FIRST.zip,
) -> Case:  # fmt: skip
    """Return a case that waits for consent; the code is that of a breach in a table."""
    return Case(
        name=name, bad=bad.zip, twin=twin.zip, verdict=Verdict.HELD, code=code, file=table, says=says,
        twin_after=twin.after, feed=feed, day_1=day_1,
    )  # fmt: skip


def taken(
    name: str, bad: Sent, code: str | None, file: str | None = None, line: int | None = None, *, twin: Sent = PLAIN,
    says: str = "", feed: str = "", top: str = "", day_1: Made = FIRST.zip, also: str = "",
) -> Case:  # fmt: skip
    """Return a case that is taken over, mended or with a warning; without a code it is right though it looks odd."""
    return Case(
        name=name, bad=bad.zip, twin=twin.zip, verdict=Verdict.ACCEPTED, code=code, file=file, line=line, says=says,
        after=bad.after, twin_after=twin.after, feed=feed, top=top, day_1=day_1, also=frozenset(also.split()),
    )  # fmt: skip


def partly(
    name: str, bad: Sent, code: str, file: str, line: int | None, *, twin: Sent = PLAIN, held_back: int = 1,
    says: str = "",
    feed: str = "", day_1: Made = FIRST.zip,
) -> Case:  # fmt: skip
    """Return a case of which records are held back, and the rest is taken over."""
    return Case(
        name=name, bad=bad.zip, twin=twin.zip, verdict=Verdict.PARTLY, code=code, file=file, line=line, says=says,
        held_back=held_back, after=bad.after, twin_after=twin.after, feed=feed, day_1=day_1,
    )  # fmt: skip
