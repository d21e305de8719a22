"""results.csv: how a student did."""

from schemas.fields import date, number, one_of, ref, text
from schemas.v1p1.record import Record


class Results(Record):
    """A student's score for a line item."""

    lineItemSourcedId: str = ref("lineItems", required=True)
    studentSourcedId: str = ref("users", required=True)
    scoreStatus: str = one_of("exempt", "fully graded", "not submitted", "partially graded", "submitted", required=True)
    score: str = number(required=True)
    scoreDate: str = date(required=True)
    comment: str = text()
