"""A published file is passed on whole or not at all, and once at each place, whatever happens on the way."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from intake_world import PATIENCE, Log
from remote_world import QUICK, Keys, Scripted, cutting, lay, openssh

from ingestd.errors import SinkError, TransientSinkError
from ingestd.sinks.push import Destination, Pushes
from ingestd.slots import Slots
from ingestd.sources.remote_folder import Patience

OLD = os.urandom(100_000)
NEW = os.urandom(3_000_001)  # more than one window of requests, and no multiple of a block
GOING = Patience(connect=PATIENCE, stall=PATIENCE)


def to(keys: Keys, port: int, folder: Path | str, patience: Patience = GOING, **instead: object) -> Destination:
    """Return a place at a server on this machine."""
    return Destination(keys.account(port, **instead), str(folder), "roster.zip", patience)


def publish(folder: Path, content: bytes = NEW) -> Path:
    """Publish a file, in the place of the one before."""
    lay(folder, "roster.zip", content)
    return folder / "roster.zip"


def push(path: Path, *places: Destination) -> str | None:
    """Push a file wherever it is still to go; return what went wrong, and hold that it is whole here."""
    before = path.read_bytes()
    try:
        Pushes(path, places).push()
    except SinkError as error:
        return str(error)
    else:
        return None
    finally:
        assert path.read_bytes() == before


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_it_is_there_whole_under_its_name(log: Log, keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """Beside nothing else; and the log tells."""
    assert push(publish(tmp_path), to(keys, sshd, export)) is None
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").read_bytes() == NEW
    assert [line["bytes"] for line in log.of("package.pushed")] == [len(NEW)]


def test_it_takes_the_place_of_the_one_before(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """In one step: its reader has the old one or the new one."""
    push(publish(tmp_path, OLD), to(keys, sshd, export))
    assert push(publish(tmp_path), to(keys, sshd, export)) is None
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").read_bytes() == NEW


def test_it_is_pushed_once(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """The same content is not pushed again, also when its receiver has taken it away; other content is."""
    path, place = publish(tmp_path), to(keys, sshd, export)
    push(path, place)
    (export / "roster.zip").unlink()
    assert not Pushes(path, [place]).due()
    assert push(path, place) is None and names_in(export) == []
    publish(tmp_path, OLD)
    assert Pushes(path, [place]).due()
    assert push(path, place) is None and names_in(export) == ["roster.zip"]


def test_nothing_is_due_before_anything_is_published(keys: Keys, tmp_path: Path) -> None:
    """There is no file yet."""
    assert not Pushes(tmp_path / "roster.zip", [to(keys, 1, "/")]).due()


def test_what_is_remembered_is_its_owner_s_and_may_be_lost(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """A file that cannot be read is as none: what is there is sent once more."""
    path, place = publish(tmp_path), to(keys, sshd, export)
    push(path, place)
    kept = tmp_path / "roster.zip.pushed.json"
    assert kept.stat().st_mode & 0o077 == 0
    for content in (b"{", b"[]", b'{"a": 1}', b"\xff", json.dumps({place.place: {"sha256": 1}}).encode()):
        kept.write_bytes(content)
        assert Pushes(path, [place]).due()
        assert push(path, place) is None


def test_a_server_that_cannot_replace_is_served_too(keys: Keys, tmp_path: Path) -> None:
    """It knows no posix-rename: the old file is removed just before."""
    script = Scripted({"roster.zip": (OLD, 1)})
    with script.serving(keys) as port:
        assert push(publish(tmp_path), to(keys, port, "/")) is None
    assert {name: content for name, (content, _) in script.files.items()} == {"roster.zip": NEW}


# What goes wrong --------------------------------------------------------------------------------------------------


def test_another_host_key_is_refused(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """Nothing is shown to whoever it is, and it is not tried again at once."""
    place = to(keys, sshd, export, fingerprints=(f"SHA256:{'A' * 43}",))
    with pytest.raises(SinkError, match=r"1 of 1 places: .*host key is not the pinned") as caught:
        Pushes(publish(tmp_path), [place]).push()
    assert not isinstance(caught.value, TransientSinkError)
    assert names_in(export) == []


def test_a_host_that_is_not_pinned_is_refused(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """No key is taken at first sight."""
    known = tmp_path / "known"
    known.write_text("")
    told = push(publish(tmp_path), to(keys, sshd, export, fingerprints=(), known_hosts=known))
    assert told and "does not name this host" in told
    assert names_in(export) == []


def test_a_folder_that_is_not_there_is_told(keys: Keys, sshd: int, tmp_path: Path) -> None:
    """It may be made by then: it is tried again."""
    with pytest.raises(TransientSinkError, match="the folder is not there"):
        Pushes(publish(tmp_path), [to(keys, sshd, "/nowhere/there")]).push()


def test_a_folder_in_the_place_of_the_file_is_told(keys: Keys, sshd: int, export: Path, tmp_path: Path) -> None:
    """Nothing can take its name; when it is gone, what was sent does."""
    (export / "roster.zip").mkdir()
    path, place = publish(tmp_path), to(keys, sshd, export)
    with pytest.raises(TransientSinkError, match="the server refused to rename it"):
        Pushes(path, [place]).push()
    (export / "roster.zip").rmdir()
    assert push(path, place) is None
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").read_bytes() == NEW


def test_a_disk_that_is_full_there_keeps_the_old_one(keys: Keys, export: Path, tmp_path: Path) -> None:
    """What was written of the new one is removed; when there is room, it is made good."""
    lay(export, "roster.zip", OLD)
    path = publish(tmp_path)
    with openssh(keys, tmp_path, largest=1_000_000) as port:
        told = push(path, to(keys, port, export))
    assert told and "its disk may be full" in told
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").read_bytes() == OLD
    with openssh(keys, tmp_path) as port:
        assert push(path, to(keys, port, export)) is None
    assert (export / "roster.zip").read_bytes() == NEW


SENT = (0, 1, 500, 2_000, 3_000, 5_000, 60_000, 1_000_000, 2_500_000, 3_003_000, 3_007_000, 3_009_000)
ANSWERED = (0, 30, 1_500, 2_500, 3_000, 3_300, 4_000, 6_000, 9_000)


@pytest.mark.parametrize(
    "cut", [*({"sent": count} for count in SENT), *({"answered": count} for count in ANSWERED)], ids=str
)
def test_a_connection_cut_at_any_byte_leaves_the_old_one_or_the_new_one(
    keys: Keys, sshd: int, export: Path, tmp_path: Path, cut: dict[str, int]
) -> None:
    """On the way there or back, whole in either case; then it is made good, and nothing is left of it."""
    lay(export, "roster.zip", OLD)
    path = publish(tmp_path)
    with cutting(sshd, **cut) as port:
        push(path, to(keys, port, export))
    assert (export / "roster.zip").read_bytes() in {OLD, NEW}
    (kept,) = [*tmp_path.glob("*.json"), None][:1]
    if kept:  # the same place, which is known by its port
        kept.write_text(kept.read_text().replace(f":{port}/", f":{sshd}/"))
    assert push(path, to(keys, sshd, export)) is None
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").read_bytes() == NEW


@pytest.mark.parametrize("is_renamed", [False, True])
def test_what_was_sent_whole_is_not_sent_again(
    keys: Keys, sshd: int, export: Path, tmp_path: Path, is_renamed: bool
) -> None:
    """A kill, or a lost answer, came before it had its name, or before that was known: it stays the same file."""
    path, place = publish(tmp_path), to(keys, sshd, export)
    push(path, place)
    kept = tmp_path / "roster.zip.pushed.json"
    kept.write_text(kept.read_text().replace("true", "false"))
    if not is_renamed:
        (export / "roster.zip").rename(export / ".roster.zip.part")
        lay(export, "roster.zip", OLD)
    number = (export / ("roster.zip" if is_renamed else ".roster.zip.part")).stat().st_ino
    assert push(path, place) is None
    assert names_in(export) == ["roster.zip"] and (export / "roster.zip").stat().st_ino == number


def test_a_server_that_hangs_is_given_up(keys: Keys, tmp_path: Path) -> None:
    """Within its time, as when we fetch."""
    script = Scripted()
    script.on_subsystem = lambda: script.ended.wait(PATIENCE)
    with script.serving(keys) as port:
        told = push(publish(tmp_path), to(keys, port, "/", QUICK))
    assert told and script.files == {}


def test_a_server_that_hangs_takes_no_feed_s_turn(keys: Keys, tmp_path: Path) -> None:
    """While it is waited for, another feed has the slot."""
    script, slots, hangs = Scripted(), Slots(1), threading.Event()
    free: list[bool] = []

    def hang() -> None:
        hangs.set()
        script.ended.wait(PATIENCE)

    def other() -> None:
        assert hangs.wait(PATIENCE)
        with slots.taken(PATIENCE) as has_slot:
            free.append(has_slot)
            script.ended.set()

    script.on_subsystem = hang
    thread = threading.Thread(target=other, daemon=True)
    with script.serving(keys) as port, slots.taken(PATIENCE):
        thread.start()
        assert push(publish(tmp_path), to(keys, port, "/")) is None
    assert free == [True]


# Several places ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> Sequence[Path]:
    """Return folders of two receivers."""
    found = [tmp_path / name for name in ("first", "second")]
    for folder in found:
        folder.mkdir()
    return found


@pytest.mark.parametrize("down", [0, 1])
def test_a_place_that_is_down_keeps_no_other_waiting(
    keys: Keys, sshd: int, tmp_path: Path, folders: Sequence[Path], down: int
) -> None:
    """The other has it at once, and does not get it again when the first is back."""
    path = publish(tmp_path)
    places = [to(keys, sshd, folder) for folder in folders]
    away = folders[down].rename(tmp_path / "away")
    with pytest.raises(
        TransientSinkError, match=f"push to 1 of 2 places: .*{folders[down].name}/roster.zip: the folder"
    ):
        Pushes(path, places).push()
    other = folders[1 - down] / "roster.zip"
    before = other.stat()
    assert other.read_bytes() == NEW
    assert Pushes(path, places).due() == [places[down]]
    away.rename(folders[down])
    assert push(path, *places) is None
    assert (folders[down] / "roster.zip").read_bytes() == NEW
    assert (other.stat().st_ino, other.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
