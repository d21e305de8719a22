"""courseResources.csv: which material a course uses."""

from schemas.fields import ref, text
from schemas.v1p1.record import Record


class CourseResources(Record):
    """A resource of a course."""

    title: str = text()
    courseSourcedId: str = ref("courses", required=True)
    resourceSourcedId: str = ref("resources", required=True)
