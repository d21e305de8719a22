"""Rosters of any version for the laws: whole ones with any text, and messy ones with accidents in their cells."""

from dataclasses import dataclass

from binding import BINDING, FILES, BindingColumn, BindingFile
from examples import examples
from hypothesis import settings
from hypothesis import strategies as st
from rosters import (
    LEFT_BLANK,
    OF_NAME,
    PAIRED,
    Roster,
    Row,
    completed,
    record_id,
    roster,
    set_with,
    sound,
    valid_values,
)

ACCIDENTS = (
    *("", " ", "NULL", "a b", "nowhere", "x" * 300, 'the "2nd"', "Ørn", "ext:own", "EXT:own", "active", "tobedeleted"),
    *("true", "TRUE", "maybe", "teacher", "Teacher", "student, Teacher", "school", "primary", "pub", "09, 10", "9th"),
    *(
        "2026-08-20",
        "2026/8/20",
        "8/9/2026",
        "2026-02-30",
        "2026-08-20T10:00:00+02:00",
        "2026-2027",
        "27",
        "1e2",
        "8,5",
    ),
    *("orgs-1", "orgs-2;orgs-1", "users-2", "users-1, users-2", "users-1,nowhere", "classes-1", "academicSessions-2"),
    *("{LDAP:ann}", "{A:9}, {B:8}", "ann@springfield.example", "+1 217 555 0123"),
)
"""What stands in cells that some other thing should stand in; in one or other column each of them is right."""
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12).filter("NULL".__ne__)
"""Texts that are taken as they are; one of nothing but blanks would be none, and so would NULL."""


def law(share: int) -> settings:
    """Return the settings of a law that is tried with one of `share` of the usual examples."""
    return examples(100 // share)


@dataclass(frozen=True, slots=True)
class Drop:
    """The records of a bulk set of one version, those of its `file` being what it is about."""

    file: BindingFile
    records: Roster

    @property
    def version(self) -> str:
        """Return the version of the set."""
        return self.file.version

    def __repr__(self) -> str:
        own = [[row[name] for name in self.file.header] for row in self.records[self.file.name]]
        return f"Drop({self.version} {self.file.name}: {own})"


files = st.sampled_from(FILES)
in_modes = st.sampled_from([file for file in FILES if file.version != "1.0"])
small = st.sampled_from(
    [
        BINDING[version][name]
        for version, names in {
            "1.0": ("orgs", "users"),
            "1.1": ("orgs", "academicSessions", "courses", "classes", "users", "demographics", "resources"),
            "1.2": ("orgs", "academicSessions", "courses", "users", "roles", "userProfiles", "categories"),
        }.items()
        for name in names
    ]
)
"""Files that need few others, so that a set is soon read."""


@st.composite
def messy_rows(draw: st.DrawFn, file: BindingFile, most: int = 5) -> list[Row]:
    """Draw records of a file with accidents in some cells; now and then an id comes twice."""
    count = draw(st.integers(1, most))
    rows = []
    for number in range(count):
        cells = draw(st.dictionaries(st.sampled_from(file.header), st.sampled_from(ACCIDENTS), max_size=3))
        name = draw(st.sampled_from([number, number, number, number // 2]))
        rows.append(sound(file, record_id(file, f"{file.name}-{name}"), **cells))
    return rows


@st.composite
def messy_drops(draw: st.DrawFn, of: st.SearchStrategy[BindingFile] = small) -> Drop:
    """Draw a whole set, and after the sound records of one file some messy ones."""
    file = draw(of)
    made = roster(file.version, set_with(file, optional=False))
    made[file.name] += draw(messy_rows(file))
    return Drop(file, completed(file.version, made))


@st.composite
def whole_drops(draw: st.DrawFn, of: st.SearchStrategy[BindingFile] = small) -> Drop:
    """Draw a set with which nothing is wrong: any text or valid value in each cell, and blanks where they may be."""
    file = draw(of)
    made = roster(file.version, set_with(file))
    made[file.name] += [draw(whole_rows(file, number)) for number in range(draw(st.integers(1, 3)))]
    return Drop(file, completed(file.version, made))


def whole_rows(file: BindingFile, number: int) -> st.SearchStrategy[Row]:
    """Return sound records of a file that has one id."""
    key = file.columns[0].header
    free = [one for one in file.columns if one.name not in LEFT_BLANK and one.name not in PAIRED]
    row = sound(file, record_id(file, f"{file.name}-{number}"))
    cells = st.fixed_dictionaries({one.header: _cells(one, row[one.header]) for one in free if one.header != key})
    return cells.map(lambda drawn: {**row, **drawn})


def _cells(column: BindingColumn, usual: str) -> st.SearchStrategy[str]:
    is_free = column.type in ("string", "id") and column.name not in (*OF_NAME, "type")
    values = TEXT if is_free else st.sampled_from(sorted({usual, *valid_values(column)} - {""}))
    return values if column.required else st.just("") | values
