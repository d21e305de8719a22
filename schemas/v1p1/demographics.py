"""demographics.csv: what is known of a user beyond the roster."""

from schemas.fields import boolean, date, guid, one_of, text
from schemas.v1p1.record import Record


class Demographics(Record):
    """A user's demographics; the `sourcedId` is the user's own."""

    sourcedId: str = guid(references="users")
    birthDate: str = date()
    sex: str = one_of("male", "female")
    americanIndianOrAlaskaNative: str = boolean()
    asian: str = boolean()
    blackOrAfricanAmerican: str = boolean()
    nativeHawaiianOrOtherPacificIslander: str = boolean()
    white: str = boolean()
    demographicRaceTwoOrMoreRaces: str = boolean()
    hispanicOrLatinoEthnicity: str = boolean()
    countryOfBirthCode: str = text()
    stateOfBirthAbbreviation: str = text()
    cityOfBirth: str = text()
    publicSchoolResidenceStatus: str = text()
