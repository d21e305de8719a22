"""enrollments.csv of 1.0."""

from pandera.pandas import DataFrameModel

from schemas.fields import boolean, datetime_, guid, one_of, ref
from schemas.rules import for_teachers_alone, primary_teacher
from schemas.v1p0.record import STATES


class Enrollments(DataFrameModel):
    """A user's place in a class. Here alone the state does not come second."""

    sourcedId: str = guid()
    classSourcedId: str = ref("classes", required=True)
    schoolSourcedId: str = ref("orgs", required=True)
    userSourcedId: str = ref("users", required=True)
    role: str = one_of("teacher", "student", "parent", "guardian", "relative", "aide", "administrator", required=True)
    status: str = one_of(*STATES)
    dateLastModified: str = datetime_()
    primary: str = boolean()

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (for_teachers_alone(),), "marks": (primary_teacher(),)}
