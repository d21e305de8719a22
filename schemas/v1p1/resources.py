"""resources.csv: teaching material that somebody offers."""

from schemas.fields import one_of, outside_id, some_of, text
from schemas.v1p1.record import Record


class Resources(Record):
    """A piece of material, by the id that its vendor knows it by; `roles` are those whom it is for."""

    vendorResourceId: str = outside_id(required=True)
    title: str = text()
    roles: str = some_of("administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher")
    importance: str = one_of("primary", "secondary")
    vendorId: str = outside_id()
    applicationId: str = outside_id()
