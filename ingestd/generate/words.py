"""What a synthetic district is made of: its names, grades, subjects and calendar. All of it is invented."""

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DOMAIN = "springfield.example"

GRADES = _words("KG 01 02 03 04 05 06 07 08 09 10 11 12")

LEVELS = (("Elementary", 0, 6), ("Middle", 6, 3), ("High", 9, 4), ("Elementary", 0, 6))
"""The kinds of schools in turn: name, first grade, number of grades. Two elementary ones feed each of the others."""

SUBJECTS = (
    ("HR", "Homeroom"),
    ("ELA", "Reading, Writing and Speech"),
    ("MAT", "Mathematics"),
    ("SCI", "Science"),
    ("SOC", "Social Studies"),
    ("PE", "Physical Education"),
    ("ART", "Arts, Crafts and Design"),
    ("MUS", "Music"),
    ("TEC", "Technology"),
    ("LAN", "World Languages"),
)

ELECTIVES = 8
"""Subjects from here on are taught for one semester, the others for both."""

TERMS = ("2027-S1,2027-S2", "2027-S1", "2027-S2")
BEGINS = ("2026-08-17", "2026-08-17", "2026-12-19")
ENDS = ("2027-05-29", "2026-12-19", "2027-05-29")
"""The whole year, the first and the second semester: what a class names as its terms, the first day, the end."""

FIRST_DAY = np.datetime64(BEGINS[0])

GIVEN = (
    *_words("Alba Brio Calla Dorin Elowen Fenn Gala Hollin Ilka Joss Kestrel Linnet Maren Niko Orla Perrin Quilla"),
    *_words("Rune Sorrel Tamsin Ulric Vesper Wren Xanti Yara Zoë Åse Élodie Søri Łucja Ñusta Null Bryn-Mae D'Arro"),
)
MIDDLE = ("", "", "", "", "A.", "J.", "M.", 'Kit "Kestrel"', "O'Day")
FAMILY = (
    *_words("Amblethorn Brackwater Cloudsley Dunmarrow Eversedge Fallowfen Greyholt Hazelmoor Inkpenny Jarrowby"),
    *_words("Kettlewick Larkmoor Mossbank Netherby Oxbarrow Pennywell Quickbeam Rushmere Saltersey Thistleton"),
    *_words("Underwold Vinterhalm Wrenfield Yarrowby Zimmerlund Ångmark Çelikay Müllerich Núñez-Solar Żurawik"),
    *("O'Fern", "de la Brisa", "Null", "NA", "Quickbeam, Jr."),
)
PLACES = (
    *_words("Alder Birchwood Cedar Dogwood Elmhurst Foxglove Goldenrod Hawthorn Ironwood Juniper Kingfisher"),
    *("Linden", "St. Orrin's", "Mulberry", "Nettle", "Rowan", "Sycamore", "Willow Creek"),
)
CITIES = ("Springfield", "Shelbyfield", "Port Orrin", "Niño Springs", "", "East Larkmoor, Lower")

RACES = {
    "white": 0.4,
    "blackOrAfricanAmerican": 0.2,
    "asian": 0.15,
    "americanIndianOrAlaskaNative": 0.05,
    "nativeHawaiianOrOtherPacificIslander": 0.05,
    "demographicRaceTwoOrMoreRaces": 0.15,
}
