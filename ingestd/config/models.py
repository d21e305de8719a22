"""The settings, as frozen models. Each field's description is the one source of its documentation.

Law: a model says what a file may hold, also what this version does not act on yet (`faults.NOT_YET` refuses that).
Nothing here reads a file; relative paths find their folder in the context's `Places`.
"""

from collections.abc import Mapping
from datetime import date, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from ingestd.config.base import Settings
from ingestd.config.bounds import Limits, PackageLimits, Scope
from ingestd.config.places import FolderPath, RulesFile, SisFile, StatePath
from ingestd.config.remote import SftpAccount
from ingestd.config.sinks import Sink
from ingestd.config.sis import Sis
from ingestd.config.values import (
    Address,
    Count,
    Country,
    Duration,
    Flag,
    Listen,
    PositiveDuration,
    Secret,
    Size,
    Strict,
    TableName,
    TimeOfDay,
    Version,
    Zone,
    check_names,
    check_some,
)
from ingestd.config.words import DefaultIs, NotASetting
from ingestd.core.sentinel import Ready
from ingestd.core.ways import DateForm, Encoding


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Settings):
    """`[log]`."""

    level: Level = Field(Level.INFO, description="how much is logged; JSON lines when not on a terminal")


class Retention(Settings):
    """`[retention]`."""

    archive: PositiveDuration = Field(timedelta(days=90), description="how long accepted drops are kept")
    reports: PositiveDuration = Field(timedelta(days=30), description="how long reports, which hold values, are kept")
    history: PositiveDuration = Field(timedelta(days=400), description="how long runs and closed versions are kept")


class Server(Settings):
    """`[server]`: the embedded SFTP server, only if this table is present."""

    listen: Listen = Field(
        Address("127.0.0.1", 2222), description="where the embedded SFTP server listens; port 0: any that is free"
    )
    host_key: Secret | None = Field(
        None, description="the server's private key; unset: one is made at the first start and kept in `state_dir`"
    )
    sessions: Count = Field(4, ge=1, le=1000, description="how many sessions an account may have at a time")
    login_grace: PositiveDuration = Field(timedelta(seconds=30), description="how long logging in may take")
    tries: Count = Field(6, ge=1, le=9, description="how many keys or passwords a connection may try")
    unknown: Count = Field(128, ge=1, le=1000, description="how many connections may be open that have not logged in")
    unknown_per_source: Count = Field(64, ge=1, le=1000, description="how many of these may come from one address")
    idle: PositiveDuration = Field(timedelta(minutes=10), description="how long a session may do nothing")
    upload_size: Size = Field(2 << 30, description="how large one upload may be")
    waiting_size: Size = Field(8 << 30, description="how much may wait in a feed's inbox, with uploads under way")
    waiting_files: Count = Field(100, ge=1, description="how many files may wait in it")
    keep_free: Size = Field(512 << 20, description="how much of the disk uploads leave free")


class Metrics(Settings):
    """`[metrics]`."""

    listen: Listen = Field(Address("127.0.0.1", 9477), description="where metrics are served")


class Notify(Settings):
    """`[notify.NAME]`."""

    kind: Literal["email"] = Field(description="how to notify")
    to: tuple[str, ...] = Field(description="whom to notify")
    on: tuple[Literal["rejected", "held", "failed", "stale"], ...] = Field(
        ("rejected", "held", "failed", "stale"), description="of what"
    )


class Main(Settings):
    """`ingestd.toml`."""

    state_dir: Annotated[FolderPath, DefaultIs('"var"')] = Field(
        description="where runs, snapshots, archive, quarantine and reports lie; relative to this file's folder"
    )
    parallel_runs: Count = Field(
        2,
        ge=1,
        le=64,
        description="how many feeds are at work at the same time; those that wait for a receiver do not count",
    )
    log: Log = Log()
    retention: Retention = Retention()
    server: Server | None = None
    metrics: Metrics | None = None
    notify: Mapping[str, Notify] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, raw: Any) -> Any:
        return {"state_dir": "var", **raw} if isinstance(raw, dict) else raw


class FolderSource(Settings):
    """`[[sources]]` of kind `folder`."""

    kind: Literal["folder"] = Field(description="a folder on this machine")
    path: StatePath = Field(description="the inbox; relative to `state_dir`")
    quiet_period: Duration = Field(timedelta(seconds=60), description="how long a drop must lie unchanged")
    incomplete_after: PositiveDuration = Field(
        timedelta(minutes=30), description="how long a zip that is cut off may lie unchanged before it is rejected"
    )
    ready: Ready = Field(
        Ready.QUIET,
        description="by what a drop is known to be whole: `quiet`, or only by its `.done` or `.sha256` file",
    )


class SftpSource(SftpAccount):
    """`[[sources]]` of kind `sftp`."""

    kind: Literal["sftp"] = Field(description="a folder on someone's SFTP server")
    every: PositiveDuration = Field(timedelta(minutes=10), description="how often to look, give or take a tenth")
    settle: Duration = Field(
        timedelta(seconds=60), description="how far apart two looks must find a file of the same size and time"
    )
    after: Literal["leave", "move", "delete"] = Field("leave", description="what becomes of a file there once fetched")
    move_to: str | None = Field(None, description="the folder on the server to move into; relative to `path`")
    max_size: Size = Field(2 << 30, description="how large a file may be to be fetched")
    incomplete_after: PositiveDuration = Field(
        timedelta(minutes=30), description="how long a fetched zip that is cut off waits before it is rejected"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "SftpSource":
        if (self.after == "move") != bool(self.move_to):
            raise ValueError('needs move_to if after = "move", and only then')
        return self


Source = Annotated[FolderSource | SftpSource, Field(discriminator="kind")]


class Schedule(Settings):
    """`[schedule]`, in the feed's time zone."""

    apply_at: TimeOfDay = Field(time(0, 5), description="when to plan again each day, also when no drop came")
    weekends: Flag = Field(True, description="whether runs are applied on Saturday and Sunday")
    blackout: tuple[str, ...] = Field((), description="ranges of dates in which nothing is applied")
    additive_only: tuple[str, ...] = Field((), description="ranges of dates in which nothing is removed")
    not_before: date | None = Field(None, description="the first day on which anything is applied")
    active_until: date | None = Field(None, description="the last day on which anything is applied")
    expect_every: PositiveDuration | None = Field(None, description="after how long without a drop the feed is stale")


class Repairs(Settings):
    """`[repairs]`."""

    strict: Strict = Field(False, description="make errors of all that is switchable, or of these finding codes")
    encoding: Encoding | None = Field(None, description="what lines are in that are not UTF-8")
    date_form: DateForm | None = Field(None, description="how dates are written that could be read in two ways")


REQUIRED = ("orgs", "academicSessions", "classes", "users", "enrollments")
"""The tables without which a bulk set is not complete, unless the feed says otherwise."""


Sources = Annotated[tuple[Source, ...], AfterValidator(check_some), DefaultIs("one folder, `inbox/<feed>`")]
Sinks = Annotated[
    tuple[Sink, ...],
    AfterValidator(check_some),
    AfterValidator(check_names),
    DefaultIs("one `sqlite`, `<feed>.roster.db`"),
]


class Feed(Settings):
    """`feeds/NAME.toml`; `key` is NAME, `particulars` what the file that `sis` names says."""

    key: Annotated[str, NotASetting()]
    name: Annotated[str, DefaultIs("the file's name")] = Field(description="the district's name, for people")
    timezone: Zone = Field(ZoneInfo("UTC"), description="where the district's days begin")
    country: Country | None = Field(None, description="where telephone numbers without a prefix are; unset: unchecked")
    oneroster: Version | None = Field(None, description="the version to read as, whatever the manifest says")
    sis: SisFile | None = Field(None, description="the student information system")
    rules: Annotated[RulesFile, DefaultIs('"default"')] = Field(description="the mapping to the target tables")
    maps: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict, description="by name: entries of the rules' value maps that are this feed's own"
    )
    administrators: tuple[str, ...] = Field(
        (), description="who may be administrators, by sourcedId, username or address; rules see `feed.administrator`"
    )
    pins: FolderPath | None = Field(None, description="a CSV of what the feed leaves alone; beside `ingestd.toml`")
    required: tuple[TableName, ...] = Field(REQUIRED, description="tables that a bulk set must hold")
    allow_missing: tuple[TableName, ...] = Field((), description="tables that may lack though others refer to them")
    loose_csv: Flag = Field(False, description="whether CSVs that lie loose in an inbox are taken, all as one drop")
    rescan: PositiveDuration = Field(timedelta(seconds=30), description="how often inboxes are looked through anyway")
    sources: Sources = Field(description="where drops come from, a table each")
    sinks: Sinks = Field(description="where actions go, a table each")
    scope: Scope = Scope()
    limits: Limits = Limits()
    package: PackageLimits = PackageLimits()
    schedule: Schedule = Schedule()
    repairs: Repairs = Repairs()
    _particulars: Sis | None = PrivateAttr(None)

    @property
    def particulars(self) -> Sis | None:
        """Return what is particular to the feed's SIS, None if it names none."""
        return self._particulars

    def of_sis(self, particulars: Sis | None) -> "Feed":
        """Return the feed with what is particular to its SIS."""
        feed = self.model_copy()
        feed._particulars = particulars  # noqa: SLF001 - it is a copy of our own
        return feed

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "key" not in raw:
            return raw
        key = raw["key"]
        sources = [{"kind": "folder", "path": f"inbox/{key}"}]
        sinks = [{"kind": "sqlite", "path": f"{key}.roster.db"}]
        return {"name": key, "rules": "default", "sources": sources, "sinks": sinks, **raw}


class Config(Main):
    """The whole configuration, loaded: absolute paths, feeds by name."""

    path: Path
    feeds: Mapping[str, Feed]
