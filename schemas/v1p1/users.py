"""users.csv: students, staff and guardians."""

from schemas.fields import boolean, email_address, grade_levels, one_of, phone_number, refs, text, user_ids
from schemas.v1p1.record import Record


class Users(Record):
    """A person in one role; `agentSourcedIds` are most often a student's parents."""

    enabledUser: str = boolean(required=True)
    orgSourcedIds: str = refs("orgs", required=True)
    role: str = one_of(
        "administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher", required=True
    )
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
    grades: str = grade_levels()
    password: str = text()
