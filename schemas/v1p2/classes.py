"""classes.csv: a course as it is taught in a school and in certain terms."""

from schemas.fields import one_of, text_list
from schemas.v1p1 import classes


class Classes(classes.Classes):
    """As in 1.1; grades are by agreement, and `classType` may be an own word."""

    grades: str = text_list()
    classType: str = one_of("homeroom", "scheduled", extensible=True, required=True)
