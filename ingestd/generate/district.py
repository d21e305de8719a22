"""The first day: orgs, sessions, courses and people, and the timetable that brings them together."""

import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestd.core.model import Ints
from ingestd.generate.columns import (
    Roster,
    Strings,
    cells,
    class_ids,
    frame_of,
    join,
    numbers,
    pick,
    school_ids,
    strings,
    text,
)
from ingestd.generate.timetable import (
    Staff,
    Timetable,
    aides_of,
    grades_of,
    staff_of,
    teachers_of,
    term_of,
    timetable_of,
)
from ingestd.generate.words import (
    BEGINS,
    CITIES,
    DOMAIN,
    ENDS,
    FAMILY,
    GIVEN,
    GRADES,
    LEVELS,
    MIDDLE,
    PLACES,
    RACES,
    SUBJECTS,
    TERMS,
)

SCHOOL_SIZE = 800
SMALLEST = 10

USERS_A_DAY = 10_000_000
ENROLLMENTS_A_DAY = 100_000_000
"""Each day has as many ids of its own, so that none is given twice."""


def district(users: int, seed: int) -> Roster:
    """Make a district with that many users, about nine enrollments for each, as a bulk set that is valid.

    Raises:
        ValueError: fewer than ten users are no district.
    """
    if users < SMALLEST:
        raise ValueError(f"a district has at least {SMALLEST} users, not {users}")
    rng = np.random.default_rng(seed)
    staff = staff_of(users)
    schools = min(staff.teachers, max(3, users // SCHOOL_SIZE))
    school = rng.permutation(users - staff.total) % schools
    grade = grades_of(rng, school)
    plan, cohort = timetable_of(school, grade)
    people = _users(rng, staff, school, grade)
    ids = cells(people["sourcedId"])
    return {
        "orgs": _orgs(schools),
        "academicSessions": _sessions(),
        "courses": _courses(),
        "classes": _classes(plan),
        "users": people,
        "enrollments": _enrollments(plan, cohort, staff, ids),
        "demographics": demographics(rng, ids[staff.total :], grade),
    }


def counts(roster: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the number of records of each table."""
    return {table: len(frame) for table, frame in roster.items()}


def _orgs(schools: int) -> pd.DataFrame:
    campus = [f", Campus {i // len(PLACES) + 1}" if i >= len(PLACES) else "" for i in range(schools)]
    names = [f"{PLACES[i % len(PLACES)]} {LEVELS[i % len(LEVELS)][0]} School{campus[i]}" for i in range(schools)]
    return frame_of(
        "orgs",
        sourcedId=school_ids(np.arange(-1, schools)),
        name=strings(["Springfield School District", *names]),
        type=strings(["district", *["school"] * schools]),
        identifier=strings(["1712345", *(f"1712345{i:05}" for i in range(1, schools + 1))]),
        parentSourcedId=strings(["", *["1000"] * schools]),
    )


def _sessions() -> pd.DataFrame:
    return frame_of(
        "academicSessions",
        sourcedId=strings(["2027", "2027-S1", "2027-S2"]),
        title=strings(["2026-2027", "Fall Semester", "Spring Semester"]),
        type=strings(["schoolYear", "semester", "semester"]),
        startDate=strings(BEGINS),
        endDate=strings(ENDS),
        parentSourcedId=strings(["", "2027", "2027"]),
        schoolYear="2027",
    )


def _courses() -> pd.DataFrame:
    grade, code, title = zip(*((grade, *subject) for grade in GRADES for subject in SUBJECTS), strict=True)
    codes = join(strings(code), strings(grade))
    return frame_of(
        "courses",
        sourcedId=join("CRS-", codes),
        schoolYearSourcedId="2027",
        title=join(strings(title), " ", strings(grade)),
        courseCode=codes,
        grades=strings(grade),
        orgSourcedId="1000",
        subjects=_as_item(strings(title)),
        subjectCodes=strings(code),
    )


def _classes(plan: Timetable) -> pd.DataFrame:
    cohort, subject, section = plan.classes()
    grade = pick(GRADES, plan.grade[cohort])
    code = pick([code for code, _ in SUBJECTS], subject)
    title = pick([title for _, title in SUBJECTS], subject)
    return frame_of(
        "classes",
        sourcedId=class_ids(np.arange(len(cohort))),
        title=join(title, " ", grade, " (", strings(section + 1), ")"),
        grades=grade,
        courseSourcedId=join("CRS-", code, grade),
        classCode=join(code, grade, "-", strings(section + 1)),
        classType=pick(["homeroom", "scheduled"], subject > 0),
        location=join("Room ", strings(100 + (section * 37 + subject * 11) % 150)),
        schoolSourcedId=school_ids(plan.school[cohort]),
        termSourcedIds=pick(TERMS, term_of(subject, section)),
        subjects=_as_item(title),
        subjectCodes=code,
        periods=strings(subject),
    )


def _as_item(title: Strings) -> Strings:
    # With its comma the title would be two subjects in a list.
    return pc.replace_substring(title, ",", " /")


def _users(rng: np.random.Generator, staff: Staff, school: Ints, grade: Ints) -> pd.DataFrame:
    sizes = (staff.administrators, staff.teachers, staff.aides, len(school))
    schools = school.max() + 1
    where = np.concatenate([*(np.arange(size) % schools for size in sizes[:3]), school])
    at = np.arange(len(where))
    is_staff = at < staff.total
    in_two = is_staff & (at % 20 == 19) & (schools > 1)
    both = join(school_ids(where), ",", school_ids((where + 1) % schools))
    return frame_of(
        "users",
        enabledUser=pick(["true", "false"], rng.random(len(at)) < 0.01),
        orgSourcedIds=pc.if_else(pa.array(in_two), both, school_ids(np.where(at == 0, -1, where))),
        role=pick(["administrator", "teacher", "aide", "student"], np.repeat(np.arange(4), sizes)),
        phone=pc.if_else(pa.array(is_staff), join("555-01", strings(10 + at % 90)), text("")),
        grades=pick(["", *GRADES], np.concatenate([np.zeros(staff.total, np.int64), grade + 1])),
        **persons(rng, numbers(0, USERS_A_DAY, len(at))),
    )


def persons(rng: np.random.Generator, ids: Strings) -> dict[str, Strings]:
    """Make up who the users of these ids are: the columns of `users` that tell one person from another."""
    given, family, middle = (rng.integers(0, len(names), len(ids)) for names in (GIVEN, FAMILY, MIDDLE))
    username = join(pick(_slugs(GIVEN), given), ".", pick(_slugs(FAMILY), family), ids)
    sis = join("{SIS:", ids, "}")
    with_ldap, without_email = (pa.array(rng.random(len(ids)) < share) for share in (0.2, 0.02))
    return {
        "sourcedId": ids,
        "username": username,
        "userIds": pc.if_else(with_ldap, join(sis, ",{LDAP:", username, "}"), sis),
        "givenName": pick(GIVEN, given),
        "familyName": pick(FAMILY, family),
        "middleName": pick(MIDDLE, middle),
        "identifier": join("9", ids),
        "email": pc.if_else(without_email, text(""), join(username, "@", DOMAIN)),
    }


def _slugs(names: tuple[str, ...]) -> list[str]:
    plain = (unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower() for name in names)
    return ["".join(filter(str.isalnum, name)) for name in plain]


def _enrollments(plan: Timetable, cohort: Ints, staff: Staff, ids: Strings) -> pd.DataFrame:
    class_cohort, subject, section = plan.classes()
    school = plan.school[class_cohort]
    pairs = (plan.places(cohort), teachers_of(school, staff.teachers), aides_of(school, staff.aides))
    starts = (staff.total, staff.administrators, staff.administrators + staff.teachers)
    user = np.concatenate([start + who for start, (who, _) in zip(starts, pairs, strict=True)])
    place = np.concatenate([where for _, where in pairs])
    part = np.repeat(np.arange(3), [len(who) for who, _ in pairs])
    term = term_of(subject, section)[place]
    return frame_of(
        "enrollments",
        sourcedId=numbers(0, ENROLLMENTS_A_DAY, len(place)),
        classSourcedId=class_ids(place),
        schoolSourcedId=school_ids(school[place]),
        userSourcedId=ids.take(pa.array(user)),
        # In 1.1 nobody is enrolled as an aide.
        role=pick(["student", "teacher", "teacher"], part),
        primary=pick(["", "true", "false"], part),
        beginDate=pick(BEGINS, term),
        endDate=pick(ENDS, term),
    )


def demographics(rng: np.random.Generator, ids: Strings, grade: Ints) -> pd.DataFrame:
    """Make up the demographics of students; one of grade g is g + 5 years old when the school year begins."""
    size = len(ids)
    age = (grade + 6) * 365.25 - rng.integers(0, 365, size)
    race = rng.choice(len(RACES), size, p=list(RACES.values()))
    truth = ("false", "true")
    return frame_of(
        "demographics",
        sourcedId=ids,
        birthDate=strings(np.datetime_as_string(np.datetime64("2026-09-01") - age.astype("timedelta64[D]"))),
        sex=pick(["female", "male"], rng.integers(0, 2, size)),
        **{name: pick(truth, race == at) for at, name in enumerate(RACES)},
        hispanicOrLatinoEthnicity=pick(truth, rng.random(size) < 0.25),
        countryOfBirthCode="US",
        cityOfBirth=pick(CITIES, rng.integers(0, len(CITIES), size)),
        publicSchoolResidenceStatus="01652",
    )
