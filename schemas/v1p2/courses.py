"""courses.csv: what is taught, whoever teaches it."""

from schemas.fields import text_list
from schemas.v1p1 import courses


class Courses(courses.Courses):
    """As in 1.1; grades are by agreement."""

    grades: str = text_list()
