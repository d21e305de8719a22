"""classes.csv of 1.0."""

from schemas.fields import grade_levels, one_of, ref, refs, text, text_list
from schemas.v1p0.record import Record


class Classes(Record):
    """A class. Samples call its terms `termSourcedId`, a template `termSourcedIds`; it is a list in both."""

    title: str = text(required=True)
    grades: str = grade_levels(header="grade")
    courseSourcedId: str = ref("courses", required=True)
    classCode: str = text()
    classType: str = one_of("homeroom", "scheduled", required=True)
    location: str = text()
    schoolSourcedId: str = ref("orgs", required=True)
    termSourcedIds: str = refs("academicSessions", required=True, header="termSourcedId")
    subjects: str = text_list()
