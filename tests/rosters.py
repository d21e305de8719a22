"""Small whole rosters of any version, made out of the table of the bindings: nothing is wrong with them.

A row is a record's cells by the names that the file's header has for them. Of each table there are at least two
records, `orgs-1` and `orgs-2`; all columns are filled but status, date, password and a user's primary org, and every
reference is to such a record. Where a reference asks for a type, it is to a record that is named by it: `orgs-school`.
"""

from collections.abc import Mapping, Sequence

from binding import BINDING, BindingColumn, BindingFile

from ingestd.core.model import Mode

Row = dict[str, str]
Roster = dict[str, list[Row]]

STATE = {"status": "active", "dateLastModified": "2026-08-20T18:25:43.511Z"}
"""What a delta must tell of each record."""

OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "string": ("Fern", 'Ørn, "the" 2nd'),
    "string_list": ("Art", "Art,Music"),
    "id": ("v-1",),
    "date": ("2026-08-20", "2024-02-29"),
    "datetime": ("2026-08-20T18:25:43.511Z",),
    "year": ("2027",),
    "integer": ("80", "0"),
    "float": ("50", "12.5", "5e1"),
    "userid_list": ("{LDAP:ann}", "{LDAP:ann},{LTI:7}"),
    "scorescale_list": ("{Pass:50}", "{A+:100},{A:94},{60-69:B}"),
}
"""Valid values of each data type, the usual one first."""
OF_NAME: Mapping[str, tuple[str, ...]] = {
    "endDate": ("2027-06-12", "2028-02-29"),
    "email": ("ann@springfield.example",),
    "sms": ("+12175550123",),
    "phone": ("+12175550124",),
    "password": ("secret",),
    "resultValueMin": ("0", "-1.5"),
    "resultValueMax": ("100", "1e2"),
    "learningObjectiveId": ("urn:uuid:12345678-1234-1234-1234-123456789abc",),
}
"""Valid values of columns that ask for more than their data type does."""
USUAL = {"role": "teacher", "roleType": "secondary"}
"""The words of those columns in which another word would ask something of other columns or records."""


PAIRED = {"subjects": "subjectCodes", "subjectCodes": "subjects"}
"""Columns that have as many items as each other."""
LEFT_BLANK = frozenset({"sourcedId", "status", "dateLastModified", "password", "primaryOrgSourcedId"})


def demanded(version: str, table: str) -> tuple[str, ...]:
    """Return the types that references ask of a table's records."""
    found = (one.of_type for file in BINDING[version].values() for one in file.columns if one.refers == table)
    return tuple(sorted({word for word in found if word}))


def target(column: BindingColumn) -> str:
    """Return the id of a record to which a column may refer."""
    return f"{column.refers}-{column.of_type or 1}"


def valid_values(column: BindingColumn) -> tuple[str, ...]:
    """Return values that a column may have, the usual one first; of ids and words only those that all records have."""
    if column.refers:
        return (target(column), f"{target(column)},{column.refers}-2") if column.many else (target(column),)
    if column.words:
        usual = USUAL.get(column.name, column.words[-1])
        return (usual, ",".join(column.words)) if column.many else (usual,)
    if column.vocabulary:
        return ("09", "KG,10,Other")
    return OF_NAME.get(column.name) or OF_TYPE[column.type]


def sound(file: BindingFile, sourced_id: str, **cells: str) -> Row:
    """Return a record with all columns filled; it does not refer to its own table, lest it be its own parent."""
    row = {one.header: "" if _is_left_blank(file, one) else valid_values(one)[0] for one in file.columns}
    types = demanded(file.version, file.name)
    if types:
        kind = sourced_id.rpartition("-")[2]
        row["type"] = kind if kind in types else next(one for one in file.column("type").words if one not in types)
    return {**row, **dict(zip(file.header, (sourced_id,), strict=False)), **cells}


def _is_left_blank(file: BindingFile, column: BindingColumn) -> bool:
    return column.name in LEFT_BLANK or column.refers == file.name


def record_id(file: BindingFile, name: str | int) -> str:
    """Return the id of a table's record; a demographic has that of its user."""
    return f"{file.columns[0].refers or file.name}-{name}"


def roster(version: str, tables: Sequence[str] | None = None) -> Roster:
    """Return records of these tables, or of all, in the order of the bindings' table."""
    files = [file for name, file in BINDING[version].items() if tables is None or name in tables]
    return {
        file.name: [sound(file, record_id(file, name)) for name in ("1", "2", *demanded(version, file.name))]
        for file in files
    }


def completed(version: str, given: Roster) -> Roster:
    """Return the roster with what its records ask of others: users for demographics, roles in the primary org (1.2)."""
    files, made = BINDING[version], {name: list(rows) for name, rows in given.items()}
    if "demographics" in made:
        key = files["demographics"].header[0]
        known = {row["sourcedId"] for row in made["users"]}
        missing = dict.fromkeys(row[key] for row in made["demographics"] if row[key].startswith("users-"))
        made["users"] += [sound(files["users"], one) for one in missing if one not in known]
    if "roles" in made:
        users = [row["sourcedId"] for row in made["users"] if row["primaryOrgSourcedId"]]
        made["roles"] += [
            sound(files["roles"], f"roles-of-{one}", userSourcedId=one, userProfileSourcedId="") for one in users
        ]
    return made


def set_with(file: BindingFile, *, optional: bool = True) -> tuple[str, ...]:
    """Return the tables of a bulk set with this file, those that it need not have too unless `optional` is False."""
    files, found = BINDING[file.version], {file.name}
    while True:
        more = {need for one in found for need in (*files[one].needs, *(files[one].may_need if optional else ()))}
        if more <= found:
            return tuple(name for name in files if name in found)
        found |= more


# Drops ------------------------------------------------------------------------------------------------------------


def csv_of(header: Sequence[str], rows: Sequence[Mapping[str, str]], *, end: str = "\n", quoted: bool = False) -> bytes:
    """Return a file; a cell is quoted where it must be, or everywhere."""
    lines = [header, *([row.get(name, "") for name in header] for row in rows)]
    return "".join(",".join(_cell(cell, quoted) for cell in line) + end for line in lines).encode()


def _cell(cell: str, quoted: bool) -> str:
    return '"' + cell.replace('"', '""') + '"' if quoted or set(cell) & set(',"') else cell


def manifest_of(version: str, modes: Mapping[str, Mode]) -> bytes:
    """Return a manifest that speaks of every table of the version; those not in `modes` are absent."""
    properties = {"propertyName": "value", "manifest.version": "1.0", "oneroster.version": version}
    properties |= {f"file.{name}": modes.get(name, Mode.ABSENT) for name in BINDING[version]}
    return "".join(f"{name},{value}\n" for name, value in properties.items()).encode()


def files_of(version: str, given: Roster, mode: Mode = Mode.BULK) -> dict[str, bytes]:
    """Return the files of a drop by name; before 1.1 there was no manifest."""
    files = {f"{name}.csv": csv_of(BINDING[version][name].header, rows) for name, rows in given.items()}
    return files if version == "1.0" else {"manifest.csv": manifest_of(version, dict.fromkeys(given, mode)), **files}
