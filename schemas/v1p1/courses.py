"""courses.csv: what is taught, whoever teaches it."""

from schemas.fields import ref, text, text_list
from schemas.v1p1.record import Record


class Courses(Record):
    """A course of an org; `subjects` and `subjectCodes` run in parallel."""

    schoolYearSourcedId: str = ref("academicSessions")
    title: str = text(required=True)
    courseCode: str = text()
    grades: str = text_list()
    orgSourcedId: str = ref("orgs", required=True)
    subjects: str = text_list()
    subjectCodes: str = text_list()
