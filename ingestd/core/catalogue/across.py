"""Findings about records against each other: ids, references, and what holds for several together."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "duplicate-record": Entry(
        severity=Severity.WARNING,
        title="The same record twice",
        message="the record is in the file more than once, each time the same",
        cause="Two exports were joined, or the query finds a record once for each school, role or address that it has.",
        remedy="Send it once.",
        source="CSV Binding 1.2, section 3",
    ),
    "duplicate-sourcedid": Entry(
        severity=Severity.ERROR,
        title="One id for different records",
        message="the sourcedId is in the file more than once, with different content",
        cause="The exporter sends a person once for each school or role, the ids are those of single schools, or two "
        "exports of different nights were joined.",
        remedy="Ids must be unique in a file: send one record for each, with lists for what there is several of.",
        source="CSV Binding 1.2, section 3",
    ),
    "dangling-reference": Entry(
        severity=Severity.ERROR,
        title="A reference that leads nowhere",
        message="{file} refers in {count} of its records to {id}, which {target} does not have",
        together="{file} refers to records that {target} does not have",
        cause="The record was filtered out of its own file (a school that is not shared, a term that has ended, a user "
        "without a login), or ids lose their leading zeros in one of the two files.",
        remedy="Send the missing record, or leave out what refers to it.",
        source="CSV Binding 1.2, section 2.1",
    ),
    "dangling-optional-reference": Entry(
        severity=Severity.WARNING,
        title="An optional reference to nothing",
        message="{file} refers in {count} of its records to {id}, which {target} does not have; "
        "the reference was left out",
        together="{file} refers to records that {target} does not have; the references were left out",
        cause="The record was filtered out of its own file: a parent org above the district, a guardian who is not "
        "shared, a course of another year.",
        remedy="Send it, or leave it blank.",
        source="CSV Binding 1.2, section 2.1",
    ),
    "reference-to-held-back": Entry(
        severity=Severity.ERROR,
        title="A reference to what is held back",
        message="{file} refers in {count} of its records to {id} of {target}, which was held back",
        together="{file} refers to records of {target} that were held back",
        cause="The record that is referred to has an error of its own, and what hangs on it waits with it.",
        remedy="Mend the cause first.",
        source="ingestd",
    ),
    "unknown-deletion": Entry(
        severity=Severity.WARNING,
        title="A deletion of an unknown record",
        message="a delta deletes a record that is not known",
        cause="The record was made and deleted between two drops, was never sent, or its deletion is sent again.",
        remedy="None needed, unless the record should have been here: then send a bulk set.",
        source="CSV Binding 1.2, section 2.4",
    ),
    "parent-cycle": Entry(
        severity=Severity.WARNING,
        title="Parents that go round in a circle",
        message="records are above themselves by way of their parents; those parents were left out",
        cause="A record names itself as its parent, or two name each other.",
        remedy="Correct parentSourcedId at the source; leave it blank for the topmost.",
        source="CSV Binding 1.2, section 3.2 and 3.13",
        switchable=True,
    ),
    "wrong-org-type": Entry(
        severity=Severity.WARNING,
        title="An org of another type",
        message="the org that it refers to is not a {type}",
        cause="Classes and enrollments are attached to the district or a department, or the org has a wrong type.",
        remedy="Refer to an org of the type {type}, or correct the type in orgs.csv.",
        source="CSV Binding 1.2, section 3.4 and 3.9",
        switchable=True,
    ),
    "wrong-session-type": Entry(
        severity=Severity.WARNING,
        title="An academic session of another type",
        message="the academic session that it refers to is not a {type}",
        cause="The exporter calls every session a term, or attaches courses to terms and not to school years.",
        remedy="Refer to a session of the type {type}, or correct the type in academicSessions.csv.",
        source="CSV Binding 1.2, section 3.7, courses.csv",
        switchable=True,
    ),
    "several-primary-teachers": Entry(
        severity=Severity.WARNING,
        title="Several primary teachers at a time",
        message="a class has more than one primary teacher at a time",
        cause="The exporter calls every teacher primary, or a teacher who left a class has no endDate there.",
        remedy="Write primary as true for one teacher of a class, and an endDate for those who left.",
        source="CSV Binding 1.2, section 3.9, enrollments.csv",
        switchable=True,
    ),
    "several-primary-roles": Entry(
        severity=Severity.WARNING,
        title="Several primary roles in one org",
        message="a user has more than one primary role in an org",
        cause="The exporter calls every role primary.",
        remedy="Write roleType as primary for one role of a user in an org, and as secondary for the others.",
        source="CSV Binding 1.2, section 3.18, roles.csv",
        switchable=True,
    ),
    "profile-of-another": Entry(
        severity=Severity.WARNING,
        title="The profile of another user",
        message="the profile that the role names is another user's",
        cause="The exporter joins roles and profiles by something else than the user, such as a shared login.",
        remedy="Name a profile of the same user, or leave userProfileSourcedId blank.",
        source="CSV Binding 1.2, section 3.18, roles.csv",
        switchable=True,
    ),
    "primary-org-without-role": Entry(
        severity=Severity.WARNING,
        title="A primary org without a role",
        message="the user has no role in the org that is called primary",
        cause="The user has moved to another school and one of the two files still has the former one.",
        remedy="Add the role to roles.csv, or correct primaryOrgSourcedId.",
        source="CSV Binding 1.2, users.csv",
    ),
    "score-out-of-range": Entry(
        severity=Severity.WARNING,
        title="A score outside its range",
        message="the score is outside the range of its line item",
        cause="Extra credit goes beyond the maximum, points are compared with percent, or the line item's range is the "
        "exporter's default.",
        remedy="Correct the score, or resultValueMin and resultValueMax of the line item.",
        source="CSV Binding 1.2, section 3.16, results.csv",
        switchable=True,
    ),
}
