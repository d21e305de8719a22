"""roles.csv: what a user is in an org."""

from schemas.fields import date, one_of, ref
from schemas.rules import in_order, primary_role
from schemas.v1p1.record import Record


class Roles(Record):
    """A role of a user in an org; `roleType` is no word that may be one's own."""

    userSourcedId: str = ref("users", required=True)
    roleType: str = one_of("primary", "secondary", required=True)
    role: str = one_of(
        *("aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative"),
        *("siteAdministrator", "student", "systemAdministrator", "teacher"),
        extensible=True,
        required=True,
    )
    beginDate: str = date()
    endDate: str = date()
    orgSourcedId: str = ref("orgs", required=True)
    userProfileSourcedId: str = ref("userProfiles")

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (in_order("beginDate", "endDate"),), "marks": (primary_role(),)}
