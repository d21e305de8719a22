"""OneRoster 1.2 (binding of 6 June 2022 and its correction 1.2.1 of 22 August 2023): twenty-one tables.

The two differ in users.csv alone, whose `resourceSourcedIds` the correction took away; both say 1.2 in the manifest. A
table of which 1.2 says what 1.1 said is that of 1.1.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pandera.pandas import DataFrameModel

from schemas.v1p1.class_resources import ClassResources
from schemas.v1p1.course_resources import CourseResources
from schemas.v1p2.academic_sessions import AcademicSessions
from schemas.v1p2.categories import Categories
from schemas.v1p2.classes import Classes
from schemas.v1p2.courses import Courses
from schemas.v1p2.demographics import Demographics
from schemas.v1p2.enrollments import Enrollments
from schemas.v1p2.learning_objectives import LineItemLearningObjectiveIds, ResultLearningObjectiveIds
from schemas.v1p2.line_items import LineItems
from schemas.v1p2.orgs import Orgs
from schemas.v1p2.resources import Resources
from schemas.v1p2.results import Results
from schemas.v1p2.roles import Roles
from schemas.v1p2.score_scales import LineItemScoreScales, ResultScoreScales, ScoreScales
from schemas.v1p2.user_profiles import UserProfiles
from schemas.v1p2.user_resources import UserResources
from schemas.v1p2.users import Users

MODELS: Mapping[str, type[DataFrameModel]] = MappingProxyType(
    {
        "orgs": Orgs,
        "academicSessions": AcademicSessions,
        "courses": Courses,
        "classes": Classes,
        "resources": Resources,
        "users": Users,
        "userProfiles": UserProfiles,
        "roles": Roles,
        "enrollments": Enrollments,
        "demographics": Demographics,
        "classResources": ClassResources,
        "courseResources": CourseResources,
        "userResources": UserResources,
        "categories": Categories,
        "scoreScales": ScoreScales,
        "lineItems": LineItems,
        "lineItemScoreScales": LineItemScoreScales,
        "lineItemLearningObjectiveIds": LineItemLearningObjectiveIds,
        "results": Results,
        "resultScoreScales": ResultScoreScales,
        "resultLearningObjectiveIds": ResultLearningObjectiveIds,
    }
)
"""In order of dependence: a table comes after those that it refers to."""
