"""lineItems.csv: what is graded in a class."""

from schemas.fields import date, number, ref, text
from schemas.v1p1.record import Record


class LineItems(Record):
    """A piece of work for which a class is graded."""

    title: str = text(required=True)
    description: str = text()
    assignDate: str = date(required=True)
    dueDate: str = date(required=True)
    classSourcedId: str = ref("classes", required=True)
    categorySourcedId: str = ref("categories", required=True)
    gradingPeriodSourcedId: str = ref("academicSessions", of_type="gradingPeriod", required=True)
    resultValueMin: str = number(required=True)
    resultValueMax: str = number(required=True)
