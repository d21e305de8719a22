"""Reading manifest.csv: what is repaired, what is told, what makes it unreadable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.manifest import MAX_ROWS, parse
from ingestd.core.model import Batch, Manifest, Mode, Severity
from schemas import NAMES

TABLES = sorted(NAMES["1.1"])
HEAD = "propertyName,value\r\nmanifest.version,1.0\r\noneroster.version,1.1\r\n"
FULL = HEAD + "".join(f"file.{table},absent\r\n" for table in TABLES)


def read(text: str | bytes, *files: str) -> tuple[Manifest | None, dict[str, Batch]]:
    """Return the manifest and its findings by code."""
    raw = text.encode() if isinstance(text, str) else text
    manifest, batches = parse(raw, files)
    return manifest, {one.code: one for one in batches}


def modes(text: str | bytes, *files: str) -> dict[str, str]:
    """Return the tables that are not absent."""
    manifest, _ = read(text, *files)
    assert manifest is not None
    assert sorted(manifest.modes) == TABLES
    return {table: str(mode) for table, mode in manifest.modes.items() if mode is not Mode.ABSENT}


def test_plain_manifest_has_no_findings() -> None:
    """A manifest to the letter says the version and a mode for each table."""
    text = FULL.replace("users,absent", "users,bulk").replace("orgs,absent", "orgs,delta")
    text += "source.systemName,Chalk\r\nsource.systemCode,CH\r\n"
    manifest, found = read(text, "users.csv", "orgs.csv")
    assert not found
    assert manifest is not None
    assert manifest.oneroster == "1.1"
    assert modes(text) == {"users": "bulk", "orgs": "delta"}


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text.removesuffix("\r\n"),
        lambda text: "".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"\r\n' for line in text.splitlines()),
    ],
    ids=["LF", "no final line end", "quoted"],
)
def test_way_of_writing_does_not_matter(write: object) -> None:
    """Line ends and quotes are free."""
    text = write(FULL.replace("users,absent", "users,bulk"))  # type: ignore[operator]
    assert modes(text) == {"users": "bulk"}
    assert not read(text)[1]


def test_byte_order_mark_is_told() -> None:
    """A byte order mark is passed over, and recorded."""
    manifest, found = read(b"\xef\xbb\xbf" + FULL.encode())
    assert manifest is not None
    assert list(found) == ["byte-order-mark"]


def test_blank_lines_are_passed_over_and_told() -> None:
    """Blank lines, and rows of empty cells that a spreadsheet leaves, are recorded with their lines."""
    manifest, found = read(FULL + "\r\n,\r\n,,\r\n")
    assert manifest is not None
    assert found["blank-line"].lines == (17, 18, 19)


@pytest.mark.parametrize("version", ["1", ""])
def test_version_that_a_spreadsheet_ate_is_repaired(version: str) -> None:
    """`1` and blank are read as 1.0, with the line."""
    manifest, found = read(FULL.replace("manifest.version,1.0", f"manifest.version,{version}"))
    assert manifest is not None
    assert found["manifest-version"].lines == (2,)
    assert found["manifest-version"].severity is Severity.INFO


def test_manifest_version_left_out_is_repaired() -> None:
    """A manifest without manifest.version is read."""
    manifest, found = read(FULL.replace("manifest.version,1.0\r\n", ""))
    assert manifest is not None
    assert list(found) == ["manifest-version"]


def test_missing_row_is_answered_by_the_zip() -> None:
    """A table without a row, or with a blank one, is bulk if its file came, with a warning, and else absent."""
    text = HEAD + "file.users,bulk\r\nfile.orgs,\r\nfile.courses,\r\n"
    assert modes(text, "users.csv", "orgs.csv", "classes.csv") == {"users": "bulk", "orgs": "bulk", "classes": "bulk"}
    _, batches = parse(text.encode(), ["users.csv", "orgs.csv", "classes.csv"])
    assert sorted(one.message.split()[6] for one in batches) == ["classes.csv", "orgs.csv"]
    assert {one.code for one in batches} == {"missing-property"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fiel.demographics", "; did you mean file.demographics?"),
        ("file.Users", "; did you mean file.users?"),
        ("mainfest.version", "; did you mean manifest.version?"),
        ("file.roles", "; it is of OneRoster 1.2"),
        ("colour", ""),
    ],
)
def test_unknown_property_has_a_hint(name: str, hint: str) -> None:
    """A property that 1.1 does not have is a warning with the nearest that it has."""
    _, found = read(FULL + f"{name},absent\r\n")
    assert found["unknown-property"].message == f"the manifest's property {name} is not known{hint}"
    assert found["unknown-property"].lines == (17,)
    assert found["unknown-property"].severity is Severity.WARNING


def test_unknown_property_that_is_no_name_is_not_shown() -> None:
    """What may be a value of the data is told by its line alone."""
    _, found = read(FULL + "Mary Smith,absent\r\n")
    assert "Mary" not in found["unknown-property"].message
    assert "on line 17" in found["unknown-property"].message


def test_properties_of_a_later_version_are_not_told_one_by_one() -> None:
    """A manifest of 1.2 is one finding, of the check, and not eight."""
    manifest, found = read(FULL.replace("version,1.1", "version,1.2") + "file.roles,bulk\r\nfile.userProfiles,bulk\r\n")
    assert manifest is not None
    assert manifest.oneroster == "1.2"
    assert not found


@pytest.mark.parametrize(
    ("given", "version"),
    [
        *(("1.2.1", "1.2"), ("1.2_JP", "1.2"), ("1.1.1", "1.1"), ("v1.1", "1.1"), (" 1.2 ", "1.2")),
        *(("1.0", None), ("1.20", None)),
    ],
)
def test_version_with_a_correction_or_a_profile_behind_it(given: str, version: str | None) -> None:
    """1.2.1 and the profiles of 1.2 are 1.2; what is another number is left as it is, and so is what is right."""
    manifest, found = read(FULL.replace("oneroster.version,1.1", f"oneroster.version,{given}"))
    assert manifest is not None
    assert manifest.oneroster == (version or given)
    assert ("version-suffix" in found) == (version is not None)


def test_feed_may_name_the_version() -> None:
    """What the feed says outweighs the manifest, which may then lack its own word."""
    manifest, batches = parse(FULL.replace("oneroster.version,1.1", "oneroster.version,").encode(), (), "1.2")
    assert manifest is not None
    assert (manifest.oneroster, "roles" in manifest.modes) == ("1.2", True)
    assert not [one for one in batches if one.code == "bad-manifest"]


@pytest.mark.parametrize("header", ["propertyName,propertyValue", "PropertyName,Value", " propertyname , value "])
def test_header_that_is_known_from_exporters_is_repaired(header: str) -> None:
    """The header has two names, in any case, and one exporter's spelling; it is told."""
    manifest, found = read(FULL.replace("propertyName,value", header))
    assert manifest is not None
    assert found["manifest-header"].lines == (1,)


def test_mode_in_another_case_is_repaired() -> None:
    """`Bulk` and `DELTA` are read, and told with their lines."""
    text = HEAD + "file.users,Bulk\r\nfile.orgs,DELTA\r\nfile.classes,bulk\r\n"
    assert modes(text) == {"users": "bulk", "orgs": "delta", "classes": "bulk"}
    assert read(text)[1]["enum-case"].lines == (4, 5)


@pytest.mark.parametrize("mode", ["full", " bulk", "bulk ", "yes", "none"])
def test_other_mode_is_catastrophic(mode: str) -> None:
    """A fourth word is never guessed at."""
    _, found = read(HEAD + f"file.users,{mode}\r\n")
    assert found["bad-mode"].message == "the manifest's file.users must be absent, bulk or delta"
    assert found["bad-mode"].lines == (4,)


@pytest.mark.parametrize(
    ("text", "says", "lines"),
    [
        ("", "it is empty", ()),
        ("\r\n\r\n", "it is empty", ()),
        (FULL.removeprefix("propertyName,value\r\n"), "its header", (1,)),
        (FULL.replace("\r\n", "\r"), "CR alone", ()),
        (FULL.replace(",", ";"), "its header", (1,)),
        ("\ufeff\ufeff" + FULL, "its header", (1,)),
        (FULL + "source.systemName,Chalk, Inc.\r\n", "two fields", (17,)),
        (FULL + "source.systemName\r\n", "two fields", (17,)),
        (FULL + "file.users,absent\r\n", "given twice", (17,)),
        (FULL + "source.systemName,a\r\nsource.systemName,a\r\n", "given twice", (18,)),
        (FULL + 'source.systemName,"a\r\nb"\r\n', "a line break", (18,)),
        (FULL + "source.systemName,a\0b\r\n", "control character", (17,)),
        (FULL + 'source.systemName,"a\r\n', "quotes do not pair", ()),
        (FULL + 'source.systemName,"a"b\r\n', "quotes do not pair", ()),
        (FULL.replace("oneroster.version,1.1\r\n", ""), "oneroster.version is not given", ()),
        (FULL.replace("oneroster.version,1.1", "oneroster.version,"), "oneroster.version is not given", ()),
        (FULL.replace("manifest.version,1.0", "manifest.version,2.0"), "manifest.version is not 1.0", (2,)),
        (FULL + "a,b\r\n" * MAX_ROWS, "more than 1000 rows", ()),
    ],
)
def test_manifest_in_which_two_things_could_be_read_is_bad(text: str, says: str, lines: tuple[int, ...]) -> None:
    """What leaves a doubt is refused with its line, and there is no manifest."""
    manifest, found = read(text)
    assert manifest is None
    assert says in found["bad-manifest"].message
    assert found["bad-manifest"].lines == lines
    assert found["bad-manifest"].file == "manifest.csv"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (FULL.encode("utf-16"), "the file is UTF-16, not UTF-8"),
        (FULL.encode() + "source.systemName,é\r\n".encode("cp1252"), "the file is in another encoding, not UTF-8"),
    ],
)
def test_other_encodings_are_refused(raw: bytes, says: str) -> None:
    """Only UTF-8 is read."""
    manifest, found = read(raw)
    assert manifest is None
    assert found["not-utf-8-file"].message == says


def test_all_faults_are_told_at_once() -> None:
    """Who mends a manifest mends it once."""
    text = HEAD.replace("1.0", "1") + "fiel.users,bulk\r\nfile.orgs,Bulk\r\nfile.classes,full\r\n"
    _, found = read(text, "users.csv")
    assert set(found) == {"manifest-version", "unknown-property", "enum-case", "bad-mode", "missing-property"}


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing that stands in the file raises, and no manifest comes without a reason."""
    manifest, found = read(raw)
    assert manifest is None
    assert found


@given(st.dictionaries(st.sampled_from(TABLES), st.sampled_from(list(Mode))), st.randoms())
def test_what_is_written_is_read(declared: dict[str, Mode], shuffle: object) -> None:
    """Whatever modes are declared, in whatever order, come back."""
    rows = [f"file.{table},{mode}\n" for table, mode in declared.items()]
    shuffle.shuffle(rows)  # type: ignore[attr-defined]
    manifest, _ = read(HEAD + "".join(rows))
    assert manifest is not None
    assert {table: manifest.modes[table] for table in declared} == declared
