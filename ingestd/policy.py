"""How a feed's configuration becomes the terms by which its packages are read, judged and mapped."""

from math import ceil

import ingestd
from ingestd import config
from ingestd.core.pins import Pins
from ingestd.core.rules import Rules
from ingestd.core.scope import Scope
from ingestd.core.ways import Ways
from ingestd.examine import Terms
from ingestd.pipeline import Policy
from ingestd.unpack import PackageLimits
from schemas import shapes


def policy_of(settings: config.Feed, rules: Rules, pins: Pins, seed: int) -> Policy:
    """Return how a feed's drops are judged and mapped."""
    scope = Scope(demographics=settings.scope.demographics)
    repairs = settings.repairs
    ways = Ways(repairs.strict, repairs.encoding, repairs.date_form, settings.country)
    terms = Terms(
        required=settings.required,
        allow_missing=settings.allow_missing,
        ways=ways,
        left_out=scope.left_out(),
        seed=seed,
        reading=f"{ingestd.__version__} {ways}",
        oneroster=settings.oneroster,
    )
    return Policy(terms, scope, {name: settings.limits.of(name) for name in shapes()}, rules, pins)


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
