"""classes.csv: a course as it is taught in a school and in certain terms."""

from schemas.fields import grade_levels, one_of, ref, refs, text, text_list
from schemas.rules import in_parallel
from schemas.v1p1.record import Record


class Classes(Record):
    """A class; `subjects` and `subjectCodes` run in parallel."""

    title: str = text(required=True)
    grades: str = grade_levels()
    courseSourcedId: str = ref("courses", required=True)
    classCode: str = text()
    classType: str = one_of("homeroom", "scheduled", required=True)
    location: str = text()
    schoolSourcedId: str = ref("orgs", of_type="school", required=True)
    termSourcedIds: str = refs("academicSessions", required=True)
    subjects: str = text_list()
    subjectCodes: str = text_list()
    periods: str = text_list()

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (in_parallel("subjects", "subjectCodes"),)}
