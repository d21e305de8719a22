"""How many examples a law is tried with: few in the normal suite, INGESTD_FUZZ times as many in `make fuzz`.

A law that says nothing gets a hundred. None has a deadline: the machine may be shared.
"""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("INGESTD_FUZZ", "1"))


def examples(count: int) -> settings:
    """Return the settings of a law that is tried with so many examples in the normal suite."""
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
