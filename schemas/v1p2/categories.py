"""categories.csv: kinds of what is graded."""

from schemas.fields import integer
from schemas.v1p1 import categories


class Categories(categories.Categories):
    """A kind of work, and its weight in percent; the standard's text writes `80%`, its format says a whole number."""

    weight: str = integer()
