"""academicSessions.csv: school years and what they are divided into."""

from schemas.fields import date, one_of, ref, text, year
from schemas.rules import in_order
from schemas.v1p1.record import Record


class AcademicSessions(Record):
    """A span of days, its end excluded. `schoolYear` is the year in which the school year ends."""

    title: str = text(required=True)
    type: str = one_of("gradingPeriod", "semester", "schoolYear", "term", required=True)
    startDate: str = date(required=True)
    endDate: str = date(required=True)
    parentSourcedId: str = ref("academicSessions")
    schoolYear: str = year(required=True)

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (in_order("startDate", "endDate"),)}
