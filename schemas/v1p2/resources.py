"""resources.csv: teaching material that somebody offers."""

from schemas.fields import some_of
from schemas.v1p1 import resources


class Resources(resources.Resources):
    """As in 1.1; `roles` may be own words. They are still the eight of 1.1 and not the twelve of roles.csv."""

    roles: str = some_of(
        *("administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher"), extensible=True
    )
