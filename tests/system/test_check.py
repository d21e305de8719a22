"""`ingestd check`: what is told of a zip or a folder before anybody sends it."""

from pathlib import Path

from builders import bad_line, changed, members_of, roster, without, zip_of
from places import invoke

USERS = 30
DAY_1 = roster(USERS)
FINDING = {"code", "severity", "file", "line", "column", "message", "count", "caused_by"}


def test_check_of_a_good_zip_says_so(tmp_path: Path) -> None:
    """Exit 0, and one object with the fixed names; no configuration is asked for."""
    zip_path = tmp_path / "good.zip"
    zip_path.write_bytes(zip_of(DAY_1))
    done = invoke(None, "check", zip_path, "--json")
    assert done.code == 0
    found = done.json
    assert (found["ok"], found["oneroster"], found["modes"]["users"]) == (True, "1.1", "bulk")
    assert found["tables"]["users"] == {"rows": USERS, "valid": USERS, "held_back": 0}
    assert found["findings"] == []


def test_check_of_a_bad_zip_lists_findings(tmp_path: Path) -> None:
    """Exit 1; a finding has the fixed names, and the line that an editor shows."""
    zip_path = tmp_path / "bad.zip"
    zip_path.write_bytes(bad_line(without(DAY_1, "enrollments", "E1"), "U1", ",x"))
    done = invoke(None, "check", zip_path, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    (finding,) = done.json["findings"]
    assert finding.keys() == FINDING
    assert (finding["code"], finding["severity"], finding["line"]) == ("field-count", "error", 2)


def test_check_reads_a_folder_too(tmp_path: Path) -> None:
    """The files of a zip, unpacked, give the same answer."""
    for name, text in members_of(DAY_1).items():
        (tmp_path / name).write_text(text)
    assert invoke(None, "check", tmp_path, "--json").json["tables"]["users"]["valid"] == USERS


def test_check_of_several_zips_gives_a_list_and_the_gravest_code(tmp_path: Path) -> None:
    """One bad zip among several is enough for exit 1; each object says which file it is about."""
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(zip_of(DAY_1))
    bad.write_bytes(b"no zip")
    done = invoke(None, "check", good, bad, "--json")
    assert done.code == 1
    assert [(Path(one["file"]).name, one["ok"]) for one in done.json] == [("good.zip", True), ("bad.zip", False)]


def test_check_strict_makes_errors_of_repairs(tmp_path: Path) -> None:
    """A boolean in capitals is repaired, and refused when nothing is to be repaired."""
    zip_path = tmp_path / "loud.zip"
    zip_path.write_bytes(zip_of(changed(DAY_1, "users", "U1", enabledUser="TRUE")))
    assert invoke(None, "check", zip_path).code == 0
    assert invoke(None, "check", zip_path, "--strict").code == 1


def test_check_is_told_how_a_sender_writes(tmp_path: Path) -> None:
    """In the words that a feed's settings have: lines in cp1252 and dates the month of which comes first."""
    term = DAY_1["academicSessions"][0]["sourcedId"]
    sent = changed(DAY_1, "academicSessions", term, startDate="8/20/2025")
    zip_path = tmp_path / "ways.zip"
    zip_path.write_bytes(zip_of(sent))
    assert invoke(None, "check", zip_path).code == 1
    done = invoke(None, "check", zip_path, "--date-form", "M/D/YYYY", "--encoding", "cp1252", "--json")
    assert (done.code, [one["code"] for one in done.json["findings"]]) == (0, ["date-form"])


def test_check_for_people_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    """A finding has its place, what is wrong and what to do, within 80 columns."""
    zip_path = tmp_path / "bad.zip"
    zip_path.write_bytes(bad_line(DAY_1, "U1", ","))
    out = invoke(None, "check", zip_path).out
    assert "users.csv, line 2" in out
    assert "Look for a stray comma" in out
    assert max(map(len, out.splitlines())) <= 80


def test_check_says_where_more_can_be_read(tmp_path: Path) -> None:
    """The last line explains the gravest code; of a zip with nothing but repairs nothing need be read."""
    bad, loud = tmp_path / "bad.zip", tmp_path / "loud.zip"
    bad.write_bytes(bad_line(changed(DAY_1, "users", "U2", enabledUser="TRUE"), "U1", ","))
    loud.write_bytes(zip_of(changed(DAY_1, "users", "U2", enabledUser="TRUE")))
    last = invoke(None, "check", bad).out.splitlines()[-1]
    assert last == "More about a code: ingestd explain-code field-count"
    assert invoke(None, *last.split()[-2:]).code == 0
    assert "explain-code" not in invoke(None, "check", loud).out


def test_check_folds_what_a_class_held_back_keeps_waiting(tmp_path: Path) -> None:
    """An org, its class and the enrollments in it: one error to mend, and all the rest follows from its line."""
    zip_path = tmp_path / "bad.zip"
    zip_path.write_bytes(zip_of(changed(DAY_1, "orgs", "S1", type="")))
    found = invoke(None, "check", zip_path, "--json").json["findings"]
    first, *rest = found
    root = {"code": "required-value", "file": "orgs.csv", "line": 3}
    assert (first["code"], first["line"], first["caused_by"]) == ("required-value", 3, None)
    assert {one["file"] for one in rest} == {"classes.csv", "users.csv", "enrollments.csv"}
    assert all(one["caused_by"] in (root, {**root, "line": None}) for one in rest if one["code"] != "nothing-valid")
    told = invoke(None, "check", zip_path).out
    assert told.count("REJECTS THE DROP") == 1
    assert "ERROR" not in told
    assert "because of orgs.csv, line 3" in told
