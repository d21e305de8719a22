"""classResources.csv: which material a class uses."""

from schemas.fields import ref, text
from schemas.v1p1.record import Record


class ClassResources(Record):
    """A resource of a class."""

    title: str = text()
    classSourcedId: str = ref("classes", required=True)
    resourceSourcedId: str = ref("resources", required=True)
