"""users.csv of 1.0."""

from schemas.fields import email_address, one_of, phone_number, refs, text
from schemas.v1p0.record import Record


class Users(Record):
    """A person in one role."""

    orgSourcedIds: str = refs("orgs", required=True)
    role: str = one_of("teacher", "student", "parent", "guardian", "relative", "aide", "administrator", required=True)
    username: str = text(required=True)
    userIds: str = text(header="userId")
    givenName: str = text(required=True)
    familyName: str = text(required=True)
    identifier: str = text()
    email: str = email_address()
    sms: str = phone_number()
    phone: str = phone_number()
    agentSourcedIds: str = refs("users", header="agents")
