"""categories.csv: kinds of what is graded."""

from schemas.fields import text
from schemas.v1p1.record import Record


class Categories(Record):
    """A kind of work, such as homework."""

    title: str = text(required=True)
