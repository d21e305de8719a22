"""results.csv: how a student did."""

from schemas.fields import boolean, date, number, one_of, ref, text
from schemas.v1p1.record import Record


class Results(Record):
    """A student's score for a line item, as a number, a text, or neither yet."""

    lineItemSourcedId: str = ref("lineItems", required=True)
    studentSourcedId: str = ref("users", required=True)
    scoreStatus: str = one_of(
        *("exempt", "fully graded", "not submitted", "partially graded", "submitted"), extensible=True, required=True
    )
    score: str = number()
    scoreDate: str = date(required=True)
    comment: str = text()
    textScore: str = text()
    classSourcedId: str = ref("classes")
    inProgress: str = boolean()
    incomplete: str = boolean()
    late: str = boolean()
    missing: str = boolean()
