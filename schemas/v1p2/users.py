"""users.csv: people; what each is, and where, stands in roles.csv."""

from schemas.fields import boolean, email_address, phone_number, ref, refs, text, text_list, user_ids
from schemas.v1p1.record import Record


class Users(Record):
    """A person. `resourceSourcedIds` is of the binding of 2022 alone, so a header may do without it."""

    enabledUser: str = boolean(required=True)
    username: str = text(required=True)
    userIds: str = user_ids()
    givenName: str = text(required=True)
    familyName: str = text(required=True)
    middleName: str = text()
    identifier: str = text()
    email: str = email_address()
    sms: str = phone_number()
    phone: str = phone_number()
    agentSourcedIds: str = refs("users")
    grades: str = text_list()
    password: str = text()
    userMasterIdentifier: str = text()
    resourceSourcedIds: str = refs("resources", may_lack=True)
    preferredGivenName: str = text()
    preferredMiddleName: str = text()
    preferredFamilyName: str = text()
    primaryOrgSourcedId: str = ref("orgs")
    pronouns: str = text()

    class Config:
        """Without roles.csv nobody is a student or a teacher."""

        metadata = {"needs": ("roles",)}
