"""OneRoster 1.0 (3 June 2015): seven tables, and no manifest that would speak of them.

Columns are kept under the names that 1.1 gave them, so that rules, snapshot and history outlive the day on which a
system moves on; `header` is what 1.0 calls them. Known from samples and one exporter: what a column demands is less
sure than in the later bindings, so 1.0 demands little.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pandera.pandas import DataFrameModel

from schemas.v1p0.academic_sessions import AcademicSessions
from schemas.v1p0.classes import Classes
from schemas.v1p0.courses import Courses
from schemas.v1p0.demographics import Demographics
from schemas.v1p0.enrollments import Enrollments
from schemas.v1p0.orgs import Orgs
from schemas.v1p0.users import Users

MODELS: Mapping[str, type[DataFrameModel]] = MappingProxyType(
    {
        "orgs": Orgs,
        "academicSessions": AcademicSessions,
        "courses": Courses,
        "classes": Classes,
        "users": Users,
        "enrollments": Enrollments,
        "demographics": Demographics,
    }
)
"""In order of dependence: a table comes after those that it refers to."""
