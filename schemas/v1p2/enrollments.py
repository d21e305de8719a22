"""enrollments.csv: who is in which class, and in what role."""

from schemas.fields import one_of
from schemas.v1p1 import enrollments


class Enrollments(enrollments.Enrollments):
    """As in 1.1; `role` may be an own word."""

    role: str = one_of("administrator", "proctor", "student", "teacher", extensible=True, required=True)
