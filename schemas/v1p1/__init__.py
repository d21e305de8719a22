"""OneRoster 1.1 (binding of 17 April 2017 and its correction 1.1.1): thirteen tables.

Columns, their order, words and references are those on which public implementations of 1.1 agree.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pandera.pandas import DataFrameModel

from schemas.v1p1.academic_sessions import AcademicSessions
from schemas.v1p1.categories import Categories
from schemas.v1p1.class_resources import ClassResources
from schemas.v1p1.classes import Classes
from schemas.v1p1.course_resources import CourseResources
from schemas.v1p1.courses import Courses
from schemas.v1p1.demographics import Demographics
from schemas.v1p1.enrollments import Enrollments
from schemas.v1p1.line_items import LineItems
from schemas.v1p1.orgs import Orgs
from schemas.v1p1.resources import Resources
from schemas.v1p1.results import Results
from schemas.v1p1.users import Users

MODELS: Mapping[str, type[DataFrameModel]] = MappingProxyType(
    {
        "orgs": Orgs,
        "academicSessions": AcademicSessions,
        "courses": Courses,
        "classes": Classes,
        "users": Users,
        "enrollments": Enrollments,
        "demographics": Demographics,
        "resources": Resources,
        "classResources": ClassResources,
        "courseResources": CourseResources,
        "categories": Categories,
        "lineItems": LineItems,
        "results": Results,
    }
)
"""In order of dependence: a table comes after those that it refers to."""
