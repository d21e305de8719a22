"""courses.csv: what is taught, whoever teaches it."""

from schemas.fields import grade_levels, ref, text, text_list
from schemas.rules import in_parallel
from schemas.v1p1.record import Record


class Courses(Record):
    """A course of an org; `subjects` and `subjectCodes` run in parallel."""

    schoolYearSourcedId: str = ref("academicSessions", of_type="schoolYear")
    title: str = text(required=True)
    courseCode: str = text()
    grades: str = grade_levels()
    orgSourcedId: str = ref("orgs", required=True)
    subjects: str = text_list()
    subjectCodes: str = text_list()

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (in_parallel("subjects", "subjectCodes"),)}
