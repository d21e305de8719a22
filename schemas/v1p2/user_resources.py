"""userResources.csv: which material a user uses, in an org or a class if so."""

from schemas.fields import ref
from schemas.v1p1.record import Record


class UserResources(Record):
    """A resource of a user."""

    userSourcedId: str = ref("users", required=True)
    orgSourcedId: str = ref("orgs")
    classSourcedId: str = ref("classes")
    resourceSourcedId: str = ref("resources", required=True)
