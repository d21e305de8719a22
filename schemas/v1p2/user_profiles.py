"""userProfiles.csv: by what accounts a user is known in other systems."""

from schemas.fields import ref, text
from schemas.v1p1.record import Record


class UserProfiles(Record):
    """An account of a user's with a vendor."""

    userSourcedId: str = ref("users", required=True)
    profileType: str = text(required=True)
    vendorId: str = text(required=True)
    applicationId: str = text()
    description: str = text()
    credentialType: str = text(required=True)
    username: str = text(required=True)
    password: str = text()
