"""How a feed's configuration becomes the terms by which its packages are read, judged and mapped."""

from math import ceil

import ingestd
from ingestd import config
from ingestd.core.aliases import Aliases
from ingestd.core.rules import Rules
from ingestd.core.scope import Scope
from ingestd.core.ways import Ways
from ingestd.examine import Terms
from ingestd.pipeline import Policy
from ingestd.unpack import PackageLimits
from schemas import shapes


def policy_of(settings: config.Feed, rules: Rules, seed: int) -> Policy:
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
    return Policy(terms, scope, limits, rules, settings.administrators)


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
