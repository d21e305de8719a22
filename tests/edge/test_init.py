"""`ingestd init`: a configuration that runs as it is, and nothing overwritten."""

from pathlib import Path

import pytest

from ingestd.config import FolderSource, load
from ingestd.errors import ConfigError
from ingestd.init import init


def test_what_is_written_loads(tmp_path: Path) -> None:
    """The new configuration has one feed, whose inbox and sink's folder are there."""
    init(tmp_path / "new")
    config = load(tmp_path / "new/ingestd.toml")
    (feed,) = config.feeds.values()
    (source,) = feed.sources
    (sink,) = feed.sinks

    assert feed.key == "example"
    assert feed.name == "Example district"
    assert isinstance(source, FolderSource)
    assert source.path.is_dir()
    assert sink.path is not None
    assert sink.path.parent.is_dir()


def test_nothing_is_left_of_the_name_that_ships(tmp_path: Path) -> None:
    """An operator reads of the feed that is there."""
    init(tmp_path)

    assert "springfield" not in (tmp_path / "feeds/example.toml").read_text(encoding="utf-8").lower()


def test_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Every folder of the state, which holds children's data, has mode 0700."""
    made = init(tmp_path)
    folders = [path for path in made if path.is_dir()]

    assert {path.relative_to(tmp_path).as_posix() for path in folders} >= {"var", "var/runs", "var/inbox/example"}
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_all_that_was_made_is_returned(tmp_path: Path) -> None:
    """The command can tell what it did."""
    made = set(init(tmp_path))

    assert {path for path in tmp_path.rglob("*") if path.name != "feeds"} == made


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """If anything is there, all that is there is named and nothing is written."""
    (tmp_path / "var").mkdir()
    (tmp_path / "ingestd.toml").write_text("state_dir = 'mine'", encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        init(tmp_path)

    assert caught.value.problems == (
        f"{tmp_path}/ingestd.toml: is there already; nothing was written",
        f"{tmp_path}/var: is there already; nothing was written",
    )
    assert (tmp_path / "ingestd.toml").read_text(encoding="utf-8") == "state_dir = 'mine'"
    assert not (tmp_path / "feeds").exists()


def test_other_files_do_not_stand_in_the_way(tmp_path: Path) -> None:
    """A folder may hold other things, such as feeds' rules that were copied first."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "README").write_text("", encoding="utf-8")

    assert init(tmp_path)
