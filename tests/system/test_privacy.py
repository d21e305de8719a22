"""No child's data in a log, an exception, a message, a report or a process's output (law 9): canaries tell.

Every private cell of the drops has a word of its own that stands nowhere else. Afterwards each file and each byte of
output is searched for them: they may be in the zip itself, in the snapshot and in the target, and nowhere else.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import Roster, added, csv_of, pack, roster, row, user, zip_of
from places import FEED, Done, Place, documents_of, invoke, place, run_ingestd

from ingestd.arrays import DATA
from ingestd.columnfiles import COLUMNS

CANARY = re.compile(rb"[Qq][Zz][a-z]+[0-9]+[Qq][Zz]")
PRIVATE = ("username", "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone", "password")
SECRET = re.compile(rb"qzpassword[0-9]+qz")


def canary(column: str, number: int) -> str:
    """Return a word that stands in one cell alone."""
    return f"qz{column.lower()}{number}qz"


def private(number: int, **cells: str) -> dict[str, str]:
    """Return a user whose private cells are canaries."""
    words = {column: canary(column, number) for column in PRIVATE}
    return user(number, **{**words, "email": f"{words['email']}@springfield.example", **cells})


def sound() -> Roster:
    """Return a roster of canaries, birth dates and places among them."""
    users = [private(number) for number in range(1, 26)]
    demographics = [
        row("demographics", sourcedId=f"U{number}", cityOfBirth=canary("city", number), sex="female")
        for number in range(1, 26)
    ]
    return {**roster(25), "users": users, "demographics": demographics}


def spoilt() -> bytes:
    """Return a drop in which canaries stand where they can do harm: in every kind of broken row."""
    whole = added(
        sound(),
        "users",
        private(31, role=canary("role", 31)),
        private(32, enabledUser=canary("enabled", 32)),
        private(33, givenName=""),
        private(34, sourcedId=f"not an id: {canary('id', 34)}"),
        private(1, familyName=canary("other", 1)),
        private(35, grades=canary("grades", 35)),
    )
    lines = csv_of(whole["users"]).split("\r\n")
    lines[2] = lines[2].replace(",,", ",,,", 1)
    lines[3] += f",{canary('extra', 3)}"
    lines[4] = lines[4].replace(canary("givenname", 4), f'"{canary("givenname", 4)}')
    lines[5] = lines[5].replace(canary("givenname", 5), f"{canary('given', 5)}\x07")
    lines[6] = lines[6].replace(canary("givenname", 6), f'"{canary("given", 6)}\r\n{canary("broken", 6)}"')
    text = "\r\n".join(lines).encode().replace(canary("givenname", 7).encode(), b"qzgivenname7qz\xff")
    whole["demographics"][0]["birthDate"] = canary("birth", 1)
    return zip_of(whole, users=text)


def headless() -> bytes:
    """Return a drop whose users.csv lacks its header, so that a child stands in its place."""
    text = csv_of(sound()["users"])
    return zip_of(sound(), users=text.split("\r\n", 1)[1])


def misnamed() -> bytes:
    """Return a drop with users.csv separated by semicolons, and another file full of canaries."""
    text = csv_of(sound()["users"])
    return zip_of(sound(), users=text.replace(",", ";"), notes=text)


DROPS = {"sound": zip_of(sound()), "spoilt": spoilt(), "headless": headless(), "misnamed": misnamed()}


def canaries(content: bytes) -> set[bytes]:
    """Return the canaries in some bytes."""
    return set(CANARY.findall(content))


def assert_clean(done: Done) -> None:
    """Check what a command printed."""
    assert not canaries((done.out + done.err).encode())


def columns_of(where: Place) -> list[Path]:
    """Return the files of the snapshot's columns; nobody else can get to them."""
    found = list(where.store().with_suffix(".arrays").glob(f"*/*/{COLUMNS}/*/{DATA}"))
    assert not any(path.parents[2].stat().st_mode & 0o77 for path in found)
    return found


def kept(where: Place) -> Iterator[Path]:
    """Yield every file that must have no canary: all but zips, the store, the columns beside it, and the target."""
    allowed, of_snapshot = {where.store(), where.target()}, columns_of(where)
    for path in where.state.rglob("*"):
        is_database = any(str(path).startswith(str(one)) for one in allowed)
        if path.is_file() and path.suffix != ".zip" and not is_database and path not in of_snapshot:
            yield path


def assert_kept_clean(where: Place) -> None:
    """Check all files that reports, receipts and runs left, and the documents of the runs in the store."""
    found = {path: canaries(path.read_bytes()) for path in kept(where)}
    assert not {path: words for path, words in found.items() if words}
    assert not canaries(repr(documents_of(where)).encode())
    assert {".json", ".html", ".csv", ".txt"} <= {path.suffix for path in found}


@pytest.mark.parametrize("name", DROPS)
@pytest.mark.parametrize("words", [("--json",), ()])
def test_check_tells_no_value(name: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """Neither as JSON nor for people, whatever is wrong with the drop; nor when everything is an error."""
    path = tmp_path / "drop.zip"
    path.write_bytes(DROPS[name])
    assert_clean(invoke(None, "check", path, *words))
    assert_clean(invoke(None, "check", path, "--strict", *words))


def test_a_run_leaves_no_value_outside_snapshot_and_target(tmp_path: Path) -> None:
    """Logs, output, reports, receipts, runs: of real processes, over drops that are applied, held and rejected."""
    where = place(tmp_path / "place", more='\n[scope]\ndemographics = true\n[limits]\nmax_held_back = "100%"\n')
    path = tmp_path / "given.zip"
    path.write_bytes(DROPS["spoilt"])
    for name in ("sound", "spoilt"):
        where.drop(DROPS[name], f"{name}.zip")
        assert_clean(run_ingestd(where, "once"))
    for name in ("headless", "misnamed"):
        where.drop(DROPS[name], f"{name}.zip")
        assert_clean(invoke(where, "once", "--json"))
    few = sound()
    where.drop(zip_of({**few, "users": few["users"][:9], "enrollments": few["enrollments"][:9]}), "few.zip")
    assert_clean(invoke(where, "once"))
    for words in (("plan", FEED, path), ("plan", FEED), ("status",), ("runs",), ("explain", FEED, "users", "U1")):
        assert_clean(invoke(where, *words))
        assert_clean(invoke(where, *words, "--json"))
    for document in documents_of(where):
        assert_clean(invoke(where, "show", document["run"]))
    assert [one["state"] for one in documents_of(where)] == ["applied", "applied", "rejected", "rejected", "held"]
    assert_kept_clean(where)
    assert canaries(where.target().read_bytes())


def test_a_sink_that_fails_tells_no_value(tmp_path: Path) -> None:
    """Its own words may hold the row that it stumbled over; so its words are not repeated."""
    where = place(tmp_path / "place")
    where.target().mkdir(parents=True)
    where.drop(DROPS["sound"])
    done = run_ingestd(where, "once")
    assert done.code == 4
    assert_clean(done)
    assert_kept_clean(where)


def test_passwords_and_what_is_out_of_scope_are_not_even_kept(tmp_path: Path) -> None:
    """A password is nowhere but in the zip; of demographics, which are out of scope, neither is a cell."""
    where = place(tmp_path / "place")
    where.drop(DROPS["sound"])
    assert invoke(where, "once").code == 0
    (users,) = (path for path in columns_of(where) if "users" in path.parts)
    for path in (where.store(), where.target(), users):
        content = path.read_bytes()
        assert canaries(content)
        assert not SECRET.findall(content)
        assert not [word for word in canaries(content) if word.startswith(b"qzcity")]


def is_open(path: Path, state: Path) -> bool:
    """Return whether others could read a file: its own mode lets them, and so do all folders above it."""
    folders = [one for one in path.parents if one.is_relative_to(state)]
    return bool(path.stat().st_mode & 0o044) and all(one.stat().st_mode & 0o011 for one in folders)


def test_what_ingestd_keeps_is_its_owners_alone(tmp_path: Path) -> None:
    """No file below the state folder can be read by others, whatever the umask lets through."""
    where = place(tmp_path / "place")
    where.drop(DROPS["sound"])
    assert run_ingestd(where, "once").code == 0
    files = [path for path in where.state.rglob("*") if path.is_file()]
    assert {where.store(), where.target()} <= set(files)
    assert not [path for path in files if is_open(path, where.state)]


def test_names_of_files_that_are_none_of_ours_are_not_followed(tmp_path: Path) -> None:
    """A member's name is told as it is, its content never: a file of canaries beside the roster is not opened."""
    where = place(tmp_path / "place")
    where.drop(pack({"manifest.csv": "", "children.txt": canary("name", 1)}))
    done = invoke(where, "once", "--json")
    assert done.code == 1
    assert_clean(done)
    assert_kept_clean(where)
