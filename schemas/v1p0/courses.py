"""courses.csv of 1.0."""

from schemas.fields import grade_levels, ref, text, text_list
from schemas.v1p0.record import Record


class Courses(Record):
    """A course of an org. Its `metadata.duration` is read like any column of a vendor's own."""

    schoolYearSourcedId: str = ref("academicSessions", header="schoolYearId")
    title: str = text(required=True)
    courseCode: str = text()
    grades: str = grade_levels(header="grade")
    orgSourcedId: str = ref("orgs", required=True)
    subjects: str = text_list()
