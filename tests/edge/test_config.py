"""The configuration: what is loaded, what every wrong one says, where it is found, what is told about it."""

import re
import tomllib
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from config_files import BROKEN, expected_problems, said, write, write_broken
from pydantic import ValidationError

from ingestd.config import Config, Feed, FolderSource, describe, find, load, shipped, shipped_folder
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
from ingestd.core import guard
from ingestd.errors import ConfigError

CASES = sorted(BROKEN.iterdir())


def only_feed(folder: Path, text: str = "") -> Feed:
    """Return the one feed, `springfield`, of a configuration whose feed file is `text`."""
    return load(write(folder, springfield=text)).feeds["springfield"]


def problems_of(path: Path) -> list[str]:
    """Return what is wrong with a configuration, without the names of temporary folders."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return said(caught.value.problems, path.parent)


# What is loaded ---------------------------------------------------------------------------------------------


def test_empty_files_are_a_configuration(tmp_path: Path) -> None:
    """A feed's empty file is a feed with every default of DESIGN section 8."""
    feed = only_feed(tmp_path)

    assert feed.key == "springfield"
    assert feed.name == "springfield"
    assert feed.timezone == ZoneInfo("UTC")
    assert feed.sis is None
    assert feed.rules == tmp_path / "rules/default.toml"
    assert feed.required == ("orgs", "academicSessions", "classes", "users", "enrollments")
    assert feed.allow_missing == ()
    assert feed.rescan == timedelta(seconds=30)
    assert feed.scope.demographics is False
    assert feed.schedule.apply_at == time(0, 5)
    assert feed.repairs.strict is False


def test_default_source_is_the_inbox_of_the_feed(tmp_path: Path) -> None:
    """A feed without sources has one folder source, `inbox/<feed>` under the state folder."""
    (source,) = only_feed(tmp_path).sources

    assert isinstance(source, FolderSource)
    assert source.path == tmp_path / "var/inbox/springfield"
    assert source.quiet_period == timedelta(seconds=60)
    assert source.incomplete_after == timedelta(minutes=30)


def test_default_sink_is_a_file_of_the_feed(tmp_path: Path) -> None:
    """A feed without sinks has one sqlite sink, `<feed>.roster.db` under the state folder."""
    (sink,) = only_feed(tmp_path).sinks

    assert sink.kind == "sqlite"
    assert sink.settings == {"path": tmp_path / "var/springfield.roster.db"}


def test_default_limits(tmp_path: Path) -> None:
    """The guard is on without being asked for."""
    feed = only_feed(tmp_path)

    assert feed.limits.of("users") == guard.Limits(delete=0.10, update=0.75, per_org_delete=0.25, minimum=20)
    assert feed.limits.on_breach == "hold_all"
    assert feed.package.model_dump() == {
        "members": 64,
        "member_size": 4 << 30,
        "total_size": 8 << 30,
        "ratio": 200,
        "memory": 1 << 30,
        "processor_time": timedelta(seconds=60),
    }


def test_a_table_has_its_own_limits_over_the_feeds(tmp_path: Path) -> None:
    """What a table's limits leave out is the feed's, and a limit of nothing at all is a limit."""
    text = '[limits]\ndelete = "20%"\nminimum = 5\n[limits.tables.users]\ndelete = "0%"\nminimum = 0\n'
    limits = only_feed(tmp_path, text).limits

    assert limits.of("users") == guard.Limits(delete=0.0, update=0.75, per_org_delete=0.25, minimum=0)
    assert limits.of("orgs") == guard.Limits(delete=0.20, update=0.75, per_org_delete=0.25, minimum=5)


def test_relative_paths_are_under_the_state_folder_and_that_is_under_the_configurations(tmp_path: Path) -> None:
    """DESIGN section 8: paths are relative to `state_dir`, and `state_dir` to the configuration file's folder."""
    feed = '[[sources]]\nkind = "folder"\npath = "drops"\n[[sinks]]\nkind = "sqlite"\npath = "/srv/roster.db"\n'
    config = load(write(tmp_path, main='state_dir = "../state"', springfield=feed))

    assert config.state_dir == tmp_path / "../state"
    assert config.feeds["springfield"].sources[0].path == tmp_path / "../state/drops"
    assert config.feeds["springfield"].sinks[0].path == Path("/srv/roster.db")


def test_paths_are_absolute_when_the_configurations_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that changes its folder still finds everything."""
    write(tmp_path, springfield="")
    monkeypatch.chdir(tmp_path)
    config = load(Path("ingestd.toml"))

    assert config.path == tmp_path / "ingestd.toml"
    assert config.state_dir == tmp_path / "var"
    assert config.feeds["springfield"].sources[0].path == tmp_path / "var/inbox/springfield"


def test_main_defaults(tmp_path: Path) -> None:
    """An empty `ingestd.toml` says what DESIGN section 8 shows."""
    config = load(write(tmp_path))

    assert config.log.level == "info"
    assert config.retention.archive == timedelta(days=90)
    assert config.retention.reports == timedelta(days=30)
    assert config.retention.history == timedelta(days=400)
    assert config.feeds == {}


def test_rules_beside_the_configuration_come_before_the_shipped_ones(tmp_path: Path) -> None:
    """An operator's own rules file of a shipped one's name is the one that is used."""
    path = write(tmp_path, rules=("default", "ours"), springfield='rules = "ours"')

    assert load(path).feeds["springfield"].rules == tmp_path / "rules/ours.toml"


def test_sis_is_found_among_the_shipped_ones(tmp_path: Path) -> None:
    """A sis file that does not lie beside the configuration is the one that ships with ingestd."""
    assert only_feed(tmp_path, 'sis = "powerschool"').sis == shipped("sis", "powerschool")


def test_default_values_of_planned_settings_are_accepted(tmp_path: Path) -> None:
    """Saying what holds anyway is no fault."""
    text = "[scope]\norgs = []\n[schedule]\nweekends = true\n[limits]\non_breach = 'hold_all'\n"

    assert only_feed(tmp_path, text).scope.orgs == ()


def test_strict_codes(tmp_path: Path) -> None:
    """`strict` may name the codes that are refused, be they of repairs or of warnings."""
    codes = ("byte-order-mark", "primary-not-teacher")
    assert only_feed(tmp_path, f"[repairs]\nstrict = {list(codes)}").repairs.strict == codes


def test_a_sql_sink_is_opened_with_a_reference_and_a_schema(tmp_path: Path) -> None:
    """The URL is a secret, so it stays one until it is wanted."""
    text = '[[sinks]]\nkind = "sql"\nurl = "credential:db"\nschema = "roster"\n'
    assert only_feed(tmp_path, text).sinks[0].settings == {"url": "credential:db", "schema": "roster"}


def test_a_webhook_is_opened_with_all_its_settings(tmp_path: Path) -> None:
    """Those that are not given have their defaults; its secret stays a reference, its files lie in the state folder."""
    text = '[[sinks]]\nkind = "webhook"\nurl = "https://app.example/roster"\nsecret = "file:hook"\npath = "hook.db"\n'

    assert only_feed(tmp_path, text).sinks[0].settings == {
        "path": tmp_path / "var/hook.db",
        "url": "https://app.example/roster",
        "secret": f"file:{tmp_path / 'var/hook'}",
        "batch": 500,
        "timeout": timedelta(seconds=60),
        "connect_timeout": timedelta(seconds=10),
        "max_retry": timedelta(minutes=2),
    }


def test_a_sink_from_elsewhere_is_opened_with_its_options(tmp_path: Path) -> None:
    """An installed sink's own settings are passed on, its secrets as references."""
    text = '[[sinks]]\nkind = "memory"\noptions = { size = 3, api_token = "credential:sink" }\n'

    assert only_feed(tmp_path, text).sinks[0].settings == {"size": 3, "api_token": "credential:sink"}


def test_feeds_that_begin_with_a_dot_are_passed_over(tmp_path: Path) -> None:
    """An editor's lock beside a feed's file is not a feed."""
    path = write(tmp_path, springfield="")
    (tmp_path / "feeds/.#springfield.toml").symlink_to("nobody@nowhere")

    assert list(load(path).feeds) == ["springfield"]


def test_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    """A file saved by Notepad is a file."""
    path = write(tmp_path)
    path.write_bytes(b'\xef\xbb\xbf[log]\r\nlevel = "debug"\r\n')

    assert load(path).log.level == "debug"


def test_models_are_frozen(tmp_path: Path) -> None:
    """Nobody changes the configuration under another's feet."""
    config = load(write(tmp_path, springfield=""))

    for model, name in ((config, "state_dir"), (config.feeds["springfield"].limits, "delete")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, name, None)


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
