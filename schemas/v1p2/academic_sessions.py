"""academicSessions.csv: school years and what they are divided into."""

from schemas.fields import one_of
from schemas.v1p1 import academic_sessions


class AcademicSessions(academic_sessions.AcademicSessions):
    """As in 1.1; `type` may be an own word."""

    type: str = one_of("gradingPeriod", "semester", "schoolYear", "term", extensible=True, required=True)
