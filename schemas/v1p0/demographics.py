"""demographics.csv of 1.0."""

from schemas.fields import boolean, date, guid, one_of, text
from schemas.v1p0.record import Record


class Demographics(Record):
    """A user's demographics, by the user's own id."""

    sourcedId: str = guid(references="users", header="userSourcedId")
    birthDate: str = date(header="birthdate")
    sex: str = one_of("Male", "Female")
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
