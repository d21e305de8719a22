"""demographics.csv of 1.0."""

from schemas.fields import date, guid, one_of
from schemas.v1p0.record import STATES
from schemas.v1p1 import demographics


class Demographics(demographics.Demographics):
    """As in 1.1, but by the user's own id, and with another spelling of the sexes."""

    sourcedId: str = guid(references="users", header="userSourcedId")
    status: str = one_of(*STATES)
    birthDate: str = date(header="birthdate")
    sex: str = one_of("Male", "Female")
