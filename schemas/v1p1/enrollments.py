"""enrollments.csv: who is in which class, and in what role."""

from schemas.fields import boolean, date, one_of, ref
from schemas.rules import for_teachers_alone, in_order, primary_teacher
from schemas.v1p1.record import Record


class Enrollments(Record):
    """A user's place in a class; `primary` is for teachers alone."""

    classSourcedId: str = ref("classes", required=True)
    schoolSourcedId: str = ref("orgs", of_type="school", required=True)
    userSourcedId: str = ref("users", required=True)
    role: str = one_of("administrator", "proctor", "student", "teacher", required=True)
    primary: str = boolean()
    beginDate: str = date()
    endDate: str = date()

    class Config:
        """What is true of its cells together."""

        metadata = {
            "rules": (for_teachers_alone(), in_order("beginDate", "endDate")),
            "marks": (primary_teacher(),),
        }
