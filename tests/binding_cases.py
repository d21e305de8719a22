"""Cases for every line of the bindings' table: a record with one thing in it, and what must come of it.

A case is a line of its file: all cases of a version and mode go into one drop, beside records with which nothing is
wrong, and each is judged by what is said of its own line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from binding import BINDING, FILES, BindingColumn, BindingFile, Need
from rosters import PAIRED, STATE, Roster, Row, completed, demanded, record_id, roster, sound, target, valid_values

from ingestd.core.model import Mode, Severity

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
FIRST_LINE = 2
"""On which the first record stands; the header is on line 1."""


class Fate(StrEnum):
    """What becomes of a record."""

    VALID = "valid"
    HELD = "held back"
    GONE = "gone"
    PASSED_OVER = "passed over"


Told = tuple[str, Severity, str]
"""A finding: its code, how grave it is, and the column by its name in the file."""


@dataclass(frozen=True, slots=True)
class Case:
    """A record and what must come of it.

    `kind` is what it shows, `cells` what is peculiar to the record by the names in the file. `told` is the one finding
    of its line, if any, and `kept` the value that the record has in `column` afterwards.
    """

    file: BindingFile
    mode: Mode
    kind: str
    column: BindingColumn
    cells: Row
    told: Told | None = None
    fate: Fate = Fate.VALID
    kept: str | None = None
    number: int = 0

    def __str__(self) -> str:
        where = f"{self.file.version}-{self.file.name}-{self.column.header}"
        return f"{where}-{self.mode}-{self.kind.replace(' ', '_')}-{self.number}"

    @property
    def is_required(self) -> bool:
        """Return whether each record must fill the column in this mode."""
        return self.column.required or (self.mode is Mode.DELTA and self.column.need is Need.BY_MODE)


# What a column may hold, and what not ------------------------------------------------------------------------------

WRONG: dict[str, tuple[tuple[str, str], ...]] = {
    "guid": (("a b", "invalid-guid"), ("x" * 256, "invalid-guid")),
    "guid_ref": (("a b", "invalid-guid"),),
    "guid_ref_list": (("a b", "invalid-guid"), ("a,,b", "invalid-guid")),
    "enum": (("pub", "invalid-enum"),),
    "enum_list": (("pub", "invalid-enum"), ("student,pub", "invalid-enum")),
    "boolean": (("maybe", "invalid-boolean"), ("1", "invalid-boolean")),
    "date": (("2026-02-30", "invalid-date"), ("8/9/2026", "invalid-date")),
    "datetime": (("yesterday", "invalid-datetime"),),
    "year": (("27", "invalid-year"),),
    "integer": (("80%", "invalid-integer"), ("8.5", "invalid-integer")),
    "float": (("good", "invalid-number"), ("8,5", "invalid-number")),
    "scorescale_list": (("A:90", "invalid-score-scale"),),
}
"""Values that are no such thing, and the code of each."""
DOUBTFUL = {
    "userid_list": ("ann", "invalid-user-ids"),
    "ceds": ("9th", "unknown-grade"),
    "email": ("ann at springfield", "invalid-email"),
    "sms": ("call me", "invalid-phone"),
    "phone": ("none", "invalid-phone"),
}
"""By type, vocabulary or name: a value that is told and kept all the same."""
OWN_WORD = "ext:own"


def cases_of(file: BindingFile, mode: Mode) -> tuple[Case, ...]:
    """Return the cases of a file in the order of its columns."""
    found = [case for column in file.columns for case in _cases_of(Case(file, mode, "", column, {}))]
    found += _repeated(file, mode)
    return tuple(replace(case, number=number) for number, case in enumerate(found))


def _cases_of(bare: Case) -> Iterator[Case]:
    if bare.mode is Mode.BULK and bare.column.need is Need.BY_MODE:
        yield from _passed_over(bare)
        return
    yield from _values(bare)
    if bare.column.words:
        yield from _words(bare)
    yield from _blank(bare)
    yield from _wrong(bare)
    if bare.column.refers:
        yield from _references(bare)


def _with(bare: Case, kind: str, value: str) -> Case:
    """Return the case of one value, which is accepted as it is."""
    partner = PAIRED.get(bare.column.header)
    others = {partner: value} if partner in bare.file.header else {}
    return replace(bare, kind=kind, cells={bare.column.header: value, **others}, kept=value)


def _refused(case: Case, code: str) -> Case:
    """Return the case with its value found wrong: in a required column that is an error, in another the value goes."""
    if case.is_required:
        return replace(case, told=(code, ERROR, case.column.header), fate=Fate.HELD, kept=None)
    return replace(case, told=("dropped-value", WARNING, case.column.header), kept="")


def _passed_over(bare: Case) -> Iterator[Case]:
    """Yield what a bulk file should leave blank."""
    header = bare.column.header
    if bare.column.type == "datetime":
        yield replace(_with(bare, "bulk", STATE[header]), told=("bulk-date", INFO, header))
        return
    yield replace(_with(bare, "bulk", "active"), told=("bulk-status", INFO, header))
    gone = _with(bare, "bulk", "tobedeleted")
    yield replace(gone, told=("tobedeleted-in-bulk", WARNING, header), fate=Fate.GONE)


def _values(bare: Case) -> Iterator[Case]:
    if bare.column.name == "password":
        dropped = ("password-dropped", INFO, bare.column.header)
        yield replace(_with(bare, "value", valid_values(bare.column)[0]), told=dropped, kept="")
        return
    if bare.column.name == "sourcedId":
        longest = _own_id(bare.file, "x" * 255)[:255]
        values: tuple[str, ...] = (_own_id(bare.file, "Az.9_/@"), longest)
    else:
        values = () if bare.column.words else valid_values(bare.column)
    yield from (_with(bare, "value", value) for value in values)


def _words(bare: Case) -> Iterator[Case]:
    """Yield each word, all of them where it is a list, and an own one, which some columns allow (1.2)."""
    for word in bare.column.words:
        case = _with(bare, "word", word)
        yield _deletion(case) if bare.column.name == "status" and word != "active" else case
    if bare.column.many:
        yield _with(bare, "word", ",".join(bare.column.words))
    if bare.column.type == "boolean":
        return
    case = _with(bare, "own word", OWN_WORD)
    yield case if bare.column.extensible else _refused(case, "invalid-enum")


def _deletion(case: Case) -> Case:
    """Return the case of a record that is deleted by word; in a delta it must be one that is known."""
    key = case.file.columns[0].header
    cells = {**case.cells, key: record_id(case.file, "spare")} if case.mode is Mode.DELTA else case.cells
    return replace(case, cells=cells, fate=Fate.GONE)


def _blank(bare: Case) -> Iterator[Case]:
    case = _with(bare, "blank", "")
    yield _refused(case, "required-value") if bare.is_required else case


def _wrong(bare: Case) -> Iterator[Case]:
    column = bare.column
    for value, code in WRONG.get(column.type, ()):
        yield _refused(_with(bare, "wrong type", value), code)
    keys = [column.vocabulary or column.type] if column.many else [column.name]
    for key in keys:
        if key in DOUBTFUL:
            value, code = DOUBTFUL[key]
            yield replace(_with(bare, "doubtful", value), told=(code, WARNING, column.header))


def _references(bare: Case) -> Iterator[Case]:
    """Yield references that lead nowhere, to a record held back, and to one that is not of the type asked for."""
    column = bare.column
    nowhere = f"nowhere-{column.header}"
    yield _dangling(_with(bare, "dangling", nowhere), "dangling-reference")
    held = record_id(BINDING[bare.file.version][column.refers or ""], "held")
    yield _dangling(_with(bare, "held target", held), "reference-to-held-back")
    if column.many:
        item = _with(bare, "dangling item", f"{target(column)},{nowhere}-too")
        told = ("dangling-optional-reference", WARNING, column.header)
        yield replace(item, told=told, kept=target(column))
    if column.of_type:
        code = "wrong-org-type" if column.refers == "orgs" else "wrong-session-type"
        yield replace(_with(bare, "other type", f"{column.refers}-1"), told=(code, WARNING, column.header))
        if BINDING[bare.file.version][column.refers or ""].column("type").extensible:
            yield _with(bare, "own type", f"{column.refers}-own")


def _dangling(case: Case, code: str) -> Case:
    """Return the case with its reference found to lead nowhere."""
    if case.is_required:
        return replace(case, told=(code, ERROR, case.column.header), fate=Fate.HELD, kept=None)
    return replace(case, told=("dangling-optional-reference", WARNING, case.column.header), kept="")


def _repeated(file: BindingFile, mode: Mode) -> Iterator[Case]:
    """Yield records of one id: two that differ, and two that do not. In a delta also a deletion of nobody."""
    key = file.columns[0]
    bare = Case(file, mode, "twice", key, {})
    other, value = next((one.header, value) for one in file.columns for value in _alternatives(file, one))
    differs = replace(bare, told=("duplicate-sourcedid", ERROR, key.header), fate=Fate.HELD)
    twice, repeated = {key.header: _own_id(file, "twice")}, {key.header: _own_id(file, "repeated")}
    yield replace(differs, cells=twice)
    yield replace(differs, cells={**twice, other: value})
    yield replace(bare, cells=repeated)
    again = ("duplicate-record", WARNING, key.header)
    yield replace(bare, cells=repeated, told=again, fate=Fate.PASSED_OVER)
    if mode is Mode.DELTA:
        unknown = ("unknown-deletion", WARNING, key.header)
        yield replace(bare, kind="unknown", cells={"status": "tobedeleted"}, column=key, told=unknown, fate=Fate.GONE)


def _own_id(file: BindingFile, name: str | int) -> str:
    """Return the id of a case; a demographic is not one of a user that is itself a case."""
    return record_id(file, f"{file.name}-{name}")


def _alternatives(file: BindingFile, column: BindingColumn) -> tuple[str, ...]:
    """Return what else a column may hold, the columns aside of which a change is none."""
    if column.name in {"sourcedId", "status", "dateLastModified", "password"} or column.header in PAIRED:
        return ()
    blank = ("",) if not column.required and column.refers != file.name else ()
    words = (word for word in column.words if word not in valid_values(column))
    return (*valid_values(column)[1:], *words, *blank)


# Drops of cases ---------------------------------------------------------------------------------------------------


def drop_of(version: str, mode: Mode) -> tuple[Roster, dict[str, int]]:
    """Return the roster that has a record for each case, and for each table the line of the first one.

    Each table that is referred to also has a record that is held back, and one of the sender's own type.
    """
    files = BINDING[version].values()
    cases = {file.name: [record_of(case) for case in cases_of(file, mode)] for file in files}
    made = roster(version)
    for name in sorted({column.refers for file in files for column in file.columns if column.refers}):
        made[name] += _others(BINDING[version][name])
    first = {name: len(rows) for name, rows in made.items()}
    made = completed(version, {name: [*rows, *cases[name]] for name, rows in made.items()})
    if mode is Mode.DELTA:
        made = {name: [row | STATE for row in rows] for name, rows in made.items()}
        for name, records in cases.items():
            made[name][first[name] : first[name] + len(records)] = records
    return made, {name: count + FIRST_LINE for name, count in first.items()}


def _others(file: BindingFile) -> Iterator[Row]:
    lacking = next(column.header for column in file.columns[1:] if column.required)
    yield sound(file, record_id(file, "held"), **{lacking: ""})
    if demanded(file.version, file.name) and file.column("type").extensible:
        yield sound(file, record_id(file, "own"), type=OWN_WORD)


def record_of(case: Case) -> Row:
    """Return the record of a case."""
    state = STATE if case.mode is Mode.DELTA else {}
    return sound(case.file, _own_id(case.file, case.number), **{**state, **case.cells})


def known_before(version: str) -> Roster:
    """Return the roster that a feed has before it gets deltas: one record more of each table, to be deleted."""
    made = roster(version)
    for name, file in BINDING[version].items():
        made[name].append(sound(file, record_id(file, "spare")))
    return completed(version, made)


MODES = {"1.0": (Mode.BULK,), "1.1": (Mode.BULK, Mode.DELTA), "1.2": (Mode.BULK, Mode.DELTA)}
"""The modes in which a file of each version may come; 1.0 does not know of any."""
SETS: tuple[tuple[BindingFile, Mode], ...] = tuple((file, mode) for file in FILES for mode in MODES[file.version])
CASES: tuple[Case, ...] = tuple(case for one in SETS for case in cases_of(*one))
