"""academicSessions.csv of 1.0."""

from schemas.fields import date, one_of, ref, text
from schemas.rules import in_order
from schemas.v1p0.record import Record


class AcademicSessions(Record):
    """A span of days, its end excluded."""

    title: str = text(required=True)
    type: str = one_of("term", "gradingPeriod", "schoolYear", "semester", required=True)
    startDate: str = date(required=True)
    endDate: str = date(required=True)
    parentSourcedId: str = ref("academicSessions")

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (in_order("startDate", "endDate"),)}
