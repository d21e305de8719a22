"""The configuration: what is wrong with it, where it is found, and what ships."""

import re
import tomllib
from pathlib import Path

import pytest
from config_files import CASES, expected_problems, problems_of, write, write_broken
from pydantic import ValidationError

from ingestd.config import Config, describe, find, load, shipped, shipped_folder
from ingestd.config.models import Server
from ingestd.config.settings import NOT_YET
from ingestd.config.values import (
    parse_address,
    parse_duration,
    parse_share,
    parse_size,
    render_address,
    render_duration,
    render_size,
)
from ingestd.errors import ConfigError

# What is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_configuration_says_what_is_wrong(case: Path, tmp_path: Path) -> None:
    """Each wrong configuration gives exactly the problems that stand in its first comment lines."""
    expected = expected_problems(case)
    problems = problems_of(write_broken(case, tmp_path))

    assert len(problems) == len(expected), problems
    for problem, pattern in zip(problems, expected, strict=True):
        assert re.fullmatch(re.escape(pattern).replace("…", ".*"), problem), problem


def test_no_case_shows_its_secret(tmp_path: Path) -> None:
    """What may be a secret is in no problem of any case."""
    cases = [case for case in CASES if case.is_file() and "hunter2" in case.read_text(encoding="utf-8")]
    problems = [one for case in cases for one in problems_of(write_broken(case, tmp_path / case.stem))]

    assert len(cases) >= 2
    assert "hunter2" not in "\n".join(problems)


def test_literal_secret_is_refused_without_being_shown() -> None:
    """A setting that holds a secret takes a reference and nothing else, whatever its type."""
    for literal in ("hunter2", 12345, ["hunter2"]):
        with pytest.raises(ValidationError, match="must be a reference") as caught:
            Server.model_validate({"host_key": literal})
        assert "hunter2" not in str(caught.value)
        assert "12345" not in str(caught.value)


def test_every_planned_setting_is_refused() -> None:
    """The table of what is planned names settings, tables or values that the models know."""
    known = {setting.key for setting in describe()}
    tables = {key[: at.start()] for key in known for at in re.finditer(r"\.", key)} | {"notify"}

    assert {one.partition(" = ")[0] for one in NOT_YET} <= known | tables


def test_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """A file in another encoding is named, with the byte at which it shows."""
    path = write(tmp_path)
    path.write_bytes(b'state_dir = "gr\xfcn"')

    assert problems_of(path) == ["ingestd.toml: is not UTF-8, from byte 15 on"]


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is named, with the system's reason."""
    assert problems_of(tmp_path / "ingestd.toml") == ["ingestd.toml: cannot be read: No such file or directory"]


def test_inboxes_that_are_one_through_a_link(tmp_path: Path) -> None:
    """Two names of one folder are one inbox."""
    (tmp_path / "var/inbox/springfield").mkdir(parents=True)
    (tmp_path / "var/inbox/shelbyville").symlink_to("springfield")

    (problem,) = problems_of(write(tmp_path, springfield="", shelbyville=""))
    assert "is already the inbox of feeds/shelbyville.toml" in problem


def test_long_values_are_cut_and_controls_escaped(tmp_path: Path) -> None:
    """A problem is one readable line, whatever was found."""
    (problem,) = problems_of(write(tmp_path, main=f'[log]\nlevel = "a\\nb{"x" * 500}"'))

    assert '"a\\u000ab' in problem
    assert len(problem) < 200


# Where it is found ------------------------------------------------------------------------------------------


def test_explicit_file_comes_first(tmp_path: Path) -> None:
    """`--config` is taken before the environment."""
    path = write(tmp_path)

    assert find(path, environ={"INGESTD_CONFIG": "/nowhere"}) == path


def test_environment_comes_before_the_standard_places(tmp_path: Path) -> None:
    """`$INGESTD_CONFIG` is taken when nothing is given."""
    path = write(tmp_path)

    assert find(None, environ={"INGESTD_CONFIG": str(path)}, standard=[Path("/nowhere")]) == path


def test_first_standard_place_that_has_a_file_is_taken(tmp_path: Path) -> None:
    """Without any word, the standard places are tried in their order."""
    path = write(tmp_path)

    assert find(None, environ={}, standard=[tmp_path / "none.toml", path]) == path


def test_a_named_file_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    """A typing error in `--config` must not start the daemon on another configuration."""
    path = write(tmp_path)

    with pytest.raises(ConfigError, match=r"looked for /nowhere/ingestd.toml;"):
        find(Path("/nowhere/ingestd.toml"), environ={"INGESTD_CONFIG": str(path)}, standard=[path])
    with pytest.raises(ConfigError, match=r"looked for /nowhere \(\$INGESTD_CONFIG\);"):
        find(None, environ={"INGESTD_CONFIG": "/nowhere"}, standard=[path])


def test_all_places_that_were_tried_are_named(tmp_path: Path) -> None:
    """An operator without a configuration learns where to put it."""
    with pytest.raises(ConfigError, match=r"looked for /one, /two; `ingestd init DIR` writes one"):
        find(None, environ={}, standard=[Path("/one"), Path("/two")])


# What ships, and what is told -------------------------------------------------------------------------------


def test_shipped_configuration_loads() -> None:
    """The commented files that ship with ingestd are a configuration."""
    config = load(shipped_folder() / "ingestd.toml")

    assert isinstance(config, Config)
    assert config.feeds["springfield"].name == "Springfield SD"
    assert config.feeds["springfield"].limits.of("enrollments").delete == 0.20


@pytest.mark.parametrize(("file", "shown"), [("ingestd.toml", "ingestd.toml"), ("feeds/<feed>.toml", "springfield")])
def test_shipped_files_show_every_setting(file: str, shown: str) -> None:
    """Every setting stands in the shipped file: as a line, behind # if few need it, behind ## if it is to come."""
    path = shipped_folder() / "ingestd.toml" if shown == file else shipped("feeds", shown)
    text = path.read_text(encoding="utf-8")
    lines = [line.removeprefix("## ").removeprefix("# ").partition("#")[0] for line in text.splitlines()]
    settings = [one for one in describe() if one.file == file and one.type != "tables" and "<name>" not in one.key]

    for setting in settings:
        name = setting.key.rpartition(".")[2]
        assert name == "options" or any(re.match(rf"{name} =", line) for line in lines), setting.key


def test_shipped_planned_lines_are_toml_that_is_refused(tmp_path: Path) -> None:
    """What stands behind ## is well-formed, and refused as planned and for no other reason."""
    text = shipped("feeds", "springfield").read_text(encoding="utf-8").replace("\n## ", "\n")
    tomllib.loads(text)
    problems = problems_of(write(tmp_path, springfield=text))

    lines = [line for line in text.splitlines() if (key := line.partition(" =")[0]) and f"schedule.{key}" in NOT_YET]
    defaults = [line for line in lines if line.partition("= ")[2] in {"true", "[]"}]  # what the default says is allowed
    assert len(problems) == len(lines) - len(defaults) > 0
    assert all(problem.endswith("is planned and not part of this version; remove it") for problem in problems)


def test_settings_are_told_with_their_meaning() -> None:
    """Every setting has a type, a meaning and a key of its own; defaults are written as in the file."""
    settings = {(one.file, one.key): one for one in describe()}
    delete = settings["feeds/<feed>.toml", "limits.delete"]

    assert len(settings) == len(describe())
    assert all(one.type and one.meaning for one in settings.values())
    assert (delete.default, delete.acts) == ('"10%"', True)
    assert settings["feeds/<feed>.toml", "sources[folder].quiet_period"].default == '"60s"'
    assert settings["feeds/<feed>.toml", "sources[sftp].host"].acts is True
    assert settings["ingestd.toml", "retention.archive"].acts is False
    assert settings["ingestd.toml", "server.listen"].acts is True


@pytest.mark.parametrize("text", ["60s", "10m", "26h", "90d", "0s", "0.5s"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    """Rendering is the way back from parsing."""
    assert render_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["1B", "64KiB", "4GiB", "1025KiB"])
def test_sizes_are_written_as_they_are_read(text: str) -> None:
    """Rendering is the way back from parsing."""
    assert render_size(parse_size(text)) == text


@pytest.mark.parametrize("text", ["127.0.0.1:2222", "[::1]:22", "sftp.example.org:65535"])
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    """Rendering is the way back from parsing."""
    assert render_address(parse_address(text)) == text


@pytest.mark.parametrize("found", ["", "60", "s", "-1s", "1w", "1 h", "\u0661s", 60, None, True])
def test_what_is_not_a_duration(found: object) -> None:
    """A number without a unit could be anything, so it is nothing."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(found)


@pytest.mark.parametrize(("text", "share"), [("0%", 0.0), ("12.5%", 0.125), ("100%", 1.0)])
def test_percentages_are_fractions(text: str, share: float) -> None:
    """A percentage is given as one writes it, and kept as a fraction."""
    assert parse_share(text) == share


@pytest.mark.parametrize("found", ["127.0.0.1", ":22", "host:65536", "::1:22", 2222])
def test_what_is_not_an_address(found: object) -> None:
    """An address has a host and a port, and IPv6 has brackets."""
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(found)
