"""The configuration: what is loaded of it."""

from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from config_files import write
from pydantic import ValidationError

from ingestd.config import Feed, FolderSource, load, shipped
from ingestd.core import guard


def only_feed(folder: Path, text: str = "") -> Feed:
    """Return the one feed, `springfield`, of a configuration whose feed file is `text`."""
    return load(write(folder, springfield=text)).feeds["springfield"]


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
