"""How a feed's configuration becomes the terms by which its packages are read, judged and mapped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

import ingestd
from ingestd import config
from ingestd.core.aliases import Aliases
from ingestd.core.guard import Limits
from ingestd.core.pins import Pins
from ingestd.core.rules import Rules
from ingestd.core.scope import Scope
from ingestd.core.ways import Ways
from ingestd.examine import Terms
from ingestd.unpack import PackageLimits
from schemas import shapes


@dataclass(frozen=True, slots=True)
class Policy:
    """How a feed's drops are judged and mapped; `limits` has an entry per table, `administrators` are those named."""

    terms: Terms
    scope: Scope
    limits: Mapping[str, Limits]
    rules: Rules
    administrators: tuple[str, ...] = ()
    pins: Pins = field(default_factory=Pins)


def policy_of(settings: config.Feed, rules: Rules, pins: Pins, seed: int) -> Policy:
    """Return how a feed's drops are judged and mapped."""
    scope = scope_of(settings.scope)
    repairs = settings.repairs
    aliases = settings.particulars.aliases if settings.particulars else Aliases()
    ways = Ways(repairs.strict, repairs.encoding, repairs.date_form, settings.country, aliases)
    terms = Terms(
        required=settings.required,
        allow_missing=settings.allow_missing,
        ways=ways,
        left_out=scope.left_out(),
        unread=scope.unread_columns(),
        seed=seed,
        reading=f"{ingestd.__version__} {ways} {sorted(scope.unread_columns())}",
        oneroster=settings.oneroster,
    )
    limits = {name: settings.limits.of(name) for name in shapes()}
    return Policy(terms, scope, limits, rules, settings.administrators, pins)


def scope_of(settings: config.Scope) -> Scope:
    """Return what of a feed's rosters is meant for the application."""
    return Scope(**{**dict(settings), "statuses": dict(settings.statuses)})


def package_limits(settings: config.PackageLimits) -> PackageLimits:
    """Return the limits of a zip."""
    return PackageLimits(
        members=settings.members,
        member_bytes=settings.member_size,
        total_bytes=settings.total_size,
        ratio=settings.ratio,
        memory=settings.memory,
        seconds=ceil(settings.processor_time.total_seconds()),
    )
