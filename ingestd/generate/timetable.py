"""Who is where in a district: staff, grades, and the classes that the students of a school need."""

from dataclasses import dataclass

import numpy as np

from ingestd.core.model import Ints
from ingestd.generate.columns import count_within, rank_within
from ingestd.generate.words import ELECTIVES, GRADES, LEVELS, SUBJECTS

CLASS_SIZE = 25


@dataclass(frozen=True, slots=True)
class Staff:
    """How many of the users are not students; they come first in the file, in this order."""

    administrators: int
    teachers: int
    aides: int

    @property
    def total(self) -> int:
        """Return how many they are together."""
        return self.administrators + self.teachers + self.aides


def staff_of(users: int) -> Staff:
    """Return the staff of a district with that many users: a tenth of them, one of each kind at least."""
    return Staff(*(max(1, round(users * share)) for share in (0.01, 0.07, 0.02)))


def grades_of(rng: np.random.Generator, school: Ints) -> Ints:
    """Return for each student a grade, by its position in GRADES, that the student's school has."""
    first, span = (np.array([level[part] for level in LEVELS])[school % len(LEVELS)] for part in (1, 2))
    grade: Ints = first.astype(np.int64) + (rng.random(len(school)) * span.astype(np.int64)).astype(np.int64)
    return grade


@dataclass(frozen=True, slots=True)
class Timetable:
    """The classes of each cohort (a grade in a school), one after the other: per subject, its parallel sections."""

    school: Ints
    grade: Ints
    subjects: Ints
    sections: Ints
    first: Ints

    def classes(self) -> tuple[Ints, Ints, Ints]:
        """Return, for each class of the district, its cohort, subject and section."""
        sizes = self.subjects * self.sections
        cohort = np.repeat(np.arange(len(sizes)), sizes)
        subject, section = np.divmod(count_within(sizes), self.sections[cohort])
        return cohort, subject, section

    def places(self, cohort: Ints) -> tuple[Ints, Ints]:
        """Return, for each place of a student in a class, the student and the class; subjects mix the sections."""
        student = np.repeat(np.arange(len(cohort)), self.subjects[cohort])
        subject = count_within(self.subjects[cohort])
        rank, own = rank_within(cohort)[student], cohort[student]
        sections = self.sections[own]
        section = (rank + subject * (rank // sections)) % sections
        return student, self.first[own] + subject * sections + section


def timetable_of(school: Ints, grade: Ints) -> tuple[Timetable, Ints]:
    """Lay out the classes that the students need, and return with them each student's cohort."""
    codes, cohort, sizes = np.unique(school * len(GRADES) + grade, return_inverse=True, return_counts=True)
    schools, grades = np.divmod(codes, len(GRADES))
    # In elementary schools there is one subject less.
    subjects = np.where(grades < LEVELS[0][2], len(SUBJECTS) - 1, len(SUBJECTS))
    sections = -(-sizes // CLASS_SIZE)
    classes = subjects * sections
    return Timetable(schools, grades, subjects, sections, np.cumsum(classes) - classes), cohort


def term_of(subject: Ints, section: Ints) -> Ints:
    """Return for each class its term, by its position in TERMS: electives take turns by section."""
    return np.where(subject < ELECTIVES, 0, 1 + section % 2)


def teachers_of(school: Ints, teachers: int) -> tuple[Ints, Ints]:
    """Give each class a teacher of its school, in turn; teacher t works in school t modulo the schools."""
    schools = school.max() + 1
    own = (teachers - school + schools - 1) // schools
    return school + schools * (rank_within(school) % own), np.arange(len(school))


def aides_of(school: Ints, aides: int, each: int = 5) -> tuple[Ints, Ints]:
    """Give each aide a few classes of the school, in turn; aide a works in school a modulo the schools."""
    sizes = np.bincount(school)
    aide = np.repeat(np.arange(aides), each)
    own = aide % len(sizes)
    nth = aide // len(sizes) * each + np.tile(np.arange(each), aides)
    return aide, (np.cumsum(sizes) - sizes)[own] + nth % sizes[own]
