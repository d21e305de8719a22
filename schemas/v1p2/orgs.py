"""orgs.csv: districts, schools and the bodies between and above them."""

from schemas.fields import one_of
from schemas.v1p1 import orgs


class Orgs(orgs.Orgs):
    """As in 1.1; `type` may be an own word."""

    type: str = one_of("department", "school", "district", "local", "state", "national", extensible=True, required=True)
