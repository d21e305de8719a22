"""demographics.csv: what is known of a user beyond the roster."""

from schemas.fields import one_of
from schemas.v1p1 import demographics


class Demographics(demographics.Demographics):
    """As in 1.1; `sex` has two words more, and may be an own one."""

    sex: str = one_of("male", "female", "unspecified", "other", extensible=True)
