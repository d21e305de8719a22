"""Small hand-made rosters and drops: what the whole-system tests share.

Plain functions: a roster is a dict of tables, a table a list of rows, a row a dict of cells. A test changes what it
is about and leaves the rest as it was made.
"""

import copy
import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas import load

Row = dict[str, str]
Roster = dict[str, list[Row]]

TABLES = load("1.1")

# Rosters ----------------------------------------------------------------------------------------------------------


def row(table: str, **cells: str) -> Row:
    """Return a row of a table; what is not given is blank."""
    return {**dict.fromkeys(TABLES[table].header, ""), **cells}


def user(number: int, **cells: str) -> Row:
    """Return the user `U<number>`, a student of school S1."""
    given = {
        "sourcedId": f"U{number}",
        "enabledUser": "true",
        "orgSourcedIds": "S1",
        "role": "student",
        "username": f"user{number}",
        "givenName": f"Given{number}",
        "familyName": f"Family{number}",
        "email": f"user{number}@springfield.example",
        "grades": "09",
    }
    return row("users", **{**given, **cells})


def enrollment(number: int, **cells: str) -> Row:
    """Return the enrollment `E<number>`: of the user of that number, in class C1."""
    given = {
        "sourcedId": f"E{number}",
        "classSourcedId": "C1",
        "schoolSourcedId": "S1",
        "userSourcedId": f"U{number}",
        "role": "student",
    }
    return row("enrollments", **{**given, **cells})


def roster(users: int = 3) -> Roster:
    """Return a valid roster: a school, two classes of one course, `users` students, and an enrollment for each."""
    numbers = range(1, users + 1)
    return {
        "orgs": [
            row("orgs", sourcedId="D1", name="Springfield SD", type="district", identifier="1712345"),
            row("orgs", sourcedId="S1", name="High", type="school", identifier="0001", parentSourcedId="D1"),
        ],
        "academicSessions": [
            row(
                "academicSessions",
                sourcedId="T1",
                title="2026",
                type="schoolYear",
                startDate="2025-08-20",
                endDate="2026-06-12",
                schoolYear="2026",
            )
        ],
        "courses": [row("courses", sourcedId="K1", title="Algebra", orgSourcedId="D1")],
        "classes": [klass(1), klass(2)],
        "users": [user(number) for number in numbers],
        "enrollments": [enrollment(number) for number in numbers],
    }


def klass(number: int, **cells: str) -> Row:
    """Return the class `C<number>` of the course K1."""
    given = {
        "sourcedId": f"C{number}",
        "title": f"Algebra {number}",
        "courseSourcedId": "K1",
        "classType": "scheduled",
        "schoolSourcedId": "S1",
        "termSourcedIds": "T1",
    }
    return row("classes", **{**given, **cells})


def changed(before: Roster, table: str, sourced_id: str, **cells: str) -> Roster:
    """Return the roster with some cells of one record changed."""
    after = copy.deepcopy(before)
    next(one for one in after[table] if one["sourcedId"] == sourced_id).update(cells)
    return after


def without(before: Roster, table: str, *sourced_ids: str) -> Roster:
    """Return the roster without some records of a table; without the table itself if none is named."""
    after = copy.deepcopy(before)
    kept = [one for one in after.pop(table) if one["sourcedId"] not in sourced_ids]
    return {**after, table: kept} if sourced_ids else after


def added(before: Roster, table: str, *rows: Row) -> Roster:
    """Return the roster with more records at the end of a table."""
    after = copy.deepcopy(before)
    after[table] += rows
    return after


def renamed(before: Roster, prefix: str = "2026-") -> Roster:
    """Return the roster with another sourcedId for every user, and all that refers to users changed with it."""
    users = [{**one, "sourcedId": f"{prefix}{one['sourcedId']}"} for one in before["users"]]
    enrollments = [{**one, "userSourcedId": f"{prefix}{one['userSourcedId']}"} for one in before["enrollments"]]
    return {**before, "users": users, "enrollments": enrollments}


# Zips -------------------------------------------------------------------------------------------------------------


def csv_of(rows: Sequence[Row], header: Sequence[str] | None = None) -> str:
    """Return rows as CSV with CRLF; the header is that of the first row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, header or list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def manifest_of(modes: Mapping[str, str], version: str = "1.1") -> str:
    """Return a manifest that speaks of every table of the binding; those not in `modes` are absent."""
    properties = [("manifest.version", "1.0"), ("oneroster.version", version)]
    properties += [(f"file.{table}", modes.get(table, "absent")) for table in sorted(TABLES)]
    return "".join(f"{name},{value}\r\n" for name, value in [("propertyName", "value"), *properties])


def members_of(tables: Roster, *, mode: str = "bulk") -> dict[str, str]:
    """Return the files of a drop by name; an empty table becomes a header without rows."""
    manifest = {"manifest.csv": manifest_of(dict.fromkeys(tables, mode))}
    return manifest | {f"{name}.csv": csv_of(rows, TABLES[name].header) for name, rows in tables.items()}


def zip_of(tables: Roster, *, mode: str = "bulk", **files: str | bytes | None) -> bytes:
    """Return a drop: always the same bytes for the same content.

    `files` puts text or bytes in a member's place, or with None leaves it out; `users=…` means `users.csv`.
    """
    members: dict[str, str | bytes] = dict(members_of(tables, mode=mode))
    for name, content in files.items():
        members.pop(f"{name}.csv", None)
        if content is not None:
            members[f"{name}.csv"] = content
    return pack(members)


def bad_line(tables: Roster, sourced_id: str, extra: str) -> bytes:
    """Return a drop in which something is added to the end of one user's line."""
    lines = members_of(tables)["users.csv"].split("\r\n")
    spoilt = [line + extra if line.startswith(f"{sourced_id},") else line for line in lines]
    return zip_of(tables, users="\r\n".join(spoilt))


def pack(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of files by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def drop_into(inbox: Path, content: bytes, name: str = "roster.zip") -> Path:
    """Put a drop into an inbox as a careful sender does: written aside, then renamed."""
    inbox.mkdir(parents=True, exist_ok=True)
    aside = inbox.parent / f".{inbox.name}.{name}.part"
    aside.write_bytes(content)
    return aside.rename(inbox / name)
