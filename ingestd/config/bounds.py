"""What of a roster is let in, and how much may change: the settings `[scope]`, `[limits]` and `[package]` of a feed."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from ingestd.config.base import Settings
from ingestd.config.values import Count, Flag, PositiveDuration, Share, Size, TableName
from ingestd.core import guard


class OnBreach(StrEnum):
    """What a breach holds."""

    HOLD_ALL = "hold_all"
    HOLD_DELETES = "hold_deletes"


class Scope(Settings):
    """`[scope]`: what of a roster is meant for the application at all."""

    orgs: tuple[str, ...] = Field(
        (), description="only these orgs and what is below them, by sourcedId or `identifier:` (NCES id); empty: all"
    )
    email_domains: tuple[str, ...] = Field((), description="only users with an address in these; empty: all")
    email_subdomains: Flag = Field(False, description="whether what is below these domains counts as well")
    email_exceptions: tuple[str, ...] = Field((), description="addresses let in from elsewhere")
    roles: tuple[str, ...] = Field((), description="only users with one of these roles; empty: all")
    statuses: Mapping[TableName, tuple[str, ...]] = Field(
        default_factory=dict, description="by table: only records with one of these statuses; a blank one is `active`"
    )
    active_only: tuple[Literal["users", "classes", "academicSessions", "enrollments"], ...] = Field(
        (), description="tables of which only records count that are active today"
    )
    class_lead_days: Count | None = Field(None, ge=0, description="how many days before its start a class comes in")
    class_archive_after_days: Count | None = Field(None, ge=0, description="how many days after its end a class goes")
    classes_need: tuple[Literal["teacher", "student"], ...] = Field(
        (), description="whom a class must have in scope to be passed on itself"
    )
    unenrolled_users: Flag = Field(True, description="whether students and teachers without a class are passed on")
    demographics: Flag = Field(False, description="whether `demographics` is read, kept and passed on")
    contacts: Flag = Field(False, description="whether parents, guardians and relatives are passed on")
    user_flags: Flag = Field(False, description="whether `metadata.microsoft.userFlags` is read, kept and passed on")


class TableLimits(Settings):
    """`[limits.tables.TABLE]`: what one table has instead of the feed's limits."""

    delete: Share | None = Field(None, description="instead of `limits.delete`")
    update: Share | None = Field(None, description="instead of `limits.update`")
    per_org_delete: Share | None = Field(None, description="instead of `limits.per_org_delete`")
    max_held_back: Share | None = Field(None, description="instead of `limits.max_held_back`")
    minimum: Count | None = Field(None, ge=0, description="instead of `limits.minimum`")


class Limits(Settings):
    """`[limits]`: the guard against mass change."""

    delete: Share = Field(0.10, description="the part of a table's records that one run may delete")
    update: Share = Field(0.75, description="the part of a table's records that one run may update")
    per_org_delete: Share = Field(0.25, description="the part of one org's records that one run may delete")
    max_held_back: Share = Field(0.10, description="the part of a file's records that may be held back for errors")
    minimum: Count = Field(20, ge=0, description="tables, and orgs, of fewer records have no limit in percent")
    on_breach: OnBreach = Field(OnBreach.HOLD_ALL, description="what a breach holds: the whole run, or its deletes")
    tables: Mapping[TableName, TableLimits] = Field(default_factory=dict)

    def of(self, table: str) -> guard.Limits:
        """Return the limits that hold for one table."""
        own = self.tables.get(table, TableLimits())
        given = {name: value for name, value in own if value is not None}
        common = {name: getattr(self, name) for name in TableLimits.model_fields}
        return guard.Limits(**common | given)


class PackageLimits(Settings):
    """`[package]`: what a zip may unpack to, and what reading it may take."""

    members: Count = Field(64, ge=1, description="how many files a zip may hold")
    member_size: Size = Field(4 << 30, description="how large one file may be, unpacked")
    total_size: Size = Field(8 << 30, description="how large all files may be, unpacked")
    ratio: Count = Field(200, ge=1, description="how many times its packed size a file may unpack to")
    memory: Size = Field(1 << 30, description="how much memory reading may take, beside 12 bytes for each unpacked one")
    processor_time: PositiveDuration = Field(
        timedelta(seconds=60), description="how long reading may compute, beside 2 seconds for each MiB unpacked"
    )
