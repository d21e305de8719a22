"""A synthetic district in OneRoster 1.1, day after day: for the demo, the tests and the measurements.

The law: the same arguments give the same roster, and the same roster the same bytes. Nobody in it exists; the names
are invented, among them those that break software (`O'Fern`, `Null`, `NA`, a comma, a quote, letters beyond ASCII).
Whole columns at a time, so that 100,000 users with their 900,000 enrollments take seconds.
"""

from ingestd.generate.columns import Roster
from ingestd.generate.days import lose, next_day
from ingestd.generate.district import counts, district
from ingestd.generate.write import write_folder, write_zip

__all__ = ["Roster", "counts", "district", "lose", "next_day", "write_folder", "write_zip"]
