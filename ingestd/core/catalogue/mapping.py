"""Findings about what the mapping rules make of a roster: theirs is the operator's to mend."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "listed-org-missing": Entry(
        severity=Severity.ERROR,
        title="An org that is wanted is not there",
        message="the feed's scope names the org {id}, which the roster does not have",
        cause="The org was renamed, closed or given another identifier, or the feed was set up for another district.",
        remedy="Operator: correct scope.orgs. Vendor: send the org, with its identifier.",
        source="systems.md C1",
    ),
    "listed-admin-missing": Entry(
        severity=Severity.WARNING,
        title="An administrator who is not there",
        message="no user is the one in place {count} of the feed's administrators",
        cause="Who was named has left, or has another e-mail address or username by now.",
        remedy="Operator: correct the list of administrators.",
        source="systems.md E5",
    ),
    "unmapped-value": Entry(
        severity=Severity.ERROR,
        title="A value that no map has",
        message="a value has no entry in the value map {map}",
        cause="The district has a new school, grade or role, or the map was made before all values had been seen.",
        remedy="Operator: add it to [maps.{map}] of the rules.",
        source="ingestd",
    ),
    "duplicate-target-key": Entry(
        severity=Severity.ERROR,
        title="Two records with one key",
        message="two records give the same key in {target}",
        cause="The rules make the key from something that two records share, such as a login name.",
        remedy="Operator: choose a key that is unique, or have the source system make it so.",
        source="ingestd",
    ),
    "ambiguous-adoption": Entry(
        severity=Severity.ERROR,
        title="It is not clear which record it is",
        message="a record may be one of several that {target} has already, or one there may be several of the roster's",
        cause="The rules have records adopted that the application has already, and the fields to match by do not tell "
        "which: a value is there more than once, two records of the roster share it, or what is there has no key.",
        remedy="Operator: in the application, merge what is double, or give the record its key. Or take `adopt` out of "
        "the rules of {target}: then it is created.",
        source="ingestd",
    ),
    "too-many-items": Entry(
        severity=Severity.WARNING,
        title="A list with more than has room",
        message="a list has more items than the {limit} columns of {name} in {target}; the rest was left out",
        cause="The rules spread a list over numbered columns, and a record has more items than there are columns.",
        remedy="Operator: give it more columns in [table.spread], as far as the application takes them.",
        source="ingestd",
    ),
    "too-many-related": Entry(
        severity=Severity.WARNING,
        title="More related records than wanted",
        message="a record of {file} has more than {limit} in {name}; {target} has the first of them",
        cause="A student has more guardians than one expects: emergency contacts, say, were exported with them.",
        remedy="Operator: raise `most` in the rules, or let in fewer by `where`.",
        source="systems.md P24",
    ),
    "unwritable-value": Entry(
        severity=Severity.WARNING,
        title="A value that could not be written",
        message="{name} of {target} was left blank: what {file} has there is no {type}",
        cause="The rules write the field in a form of its own, and the value is none that could be written so.",
        remedy="Vendor: correct the value. Operator: take the form out of the rules if others are wanted as well.",
        source="ingestd",
    ),
    "rules-need-column": Entry(
        severity=Severity.WARNING,
        title="The rules read what is not there",
        message="the rules of {target} read the column {name}, which {file} does not have; it was read as blank",
        cause="The drop is of another version of OneRoster than the rules were written for, and that version does not "
        "have a column that they read, such as the role in users.csv, which 1.2 has in roles.csv.",
        remedy="Operator: change the rules for that version, or ask for an export in the former one.",
        source="ingestd",
    ),
}
