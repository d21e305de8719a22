"""Sets of files that are not what their manifest, their version or the feed say: which of them are read, and how.

A file that is not there removes nothing. What leaves no doubt is read and told; what could mean two things is not.
"""

from collections.abc import Mapping, Sequence

from builders import Roster
from corpus.case import Case
from corpus.sets import (
    ANYWAY,
    Sent,
    blank,
    file_of,
    held,
    in_1_0,
    in_1_2,
    manifest_of,
    refused,
    sent,
    taken,
    with_rows,
)
from corpus.sound import DAY_1, DAY_2, canary, pack, with_cells

STRANGER = blank("demographics", sourcedId="U-99")
BULK: Mapping[str, str] = dict.fromkeys(DAY_2, "bulk")
SAID = manifest_of("1.1", BULK)
"""The manifest of a set that is right."""
CATEGORY = blank("categories", sourcedId="G1", title=canary("category", 1))
GRADED_1, GRADED_2 = (with_rows(day, categories=CATEGORY) for day in (DAY_1, DAY_2))
"""The two days of a feed that has had a table beside those that it demands."""
LATER = with_rows(GRADED_2, categories={**CATEGORY, "sourcedId": "G2"})
TABLES_1_2 = dict.fromkeys((*DAY_2, "roles"), "bulk")


def says(old: str, new: str) -> Sent:
    """Return the right set with other words in its manifest."""
    assert old.encode() in SAID
    return sent(DAY_2, manifest=SAID.replace(old.encode(), new.encode()))


def alone(manifest: bytes) -> Sent:
    """Return a manifest without any file, which changes nothing."""
    return Sent(pack({"manifest.csv": manifest}), DAY_1)


def without(roster: Roster, table: str) -> Roster:
    """Return the roster without a table."""
    return {name: rows for name, rows in roster.items() if name != table}


# The manifest and the files -------------------------------------------------------------------------------------


FILES: Sequence[Case] = [
    refused("declared bulk and not there", sent(DAY_2, courses=None), "missing-file", "courses.csv",
            says="the manifest declares it bulk, but it is not in the zip"),
    refused("required and declared absent", sent(DAY_2, modes={"enrollments": "absent"}), "missing-file",
            "enrollments.csv", says="this feed requires it"),
    taken("declared absent and there", sent(GRADED_2, after=DAY_2, modes={"categories": "absent"}), "undeclared-file",
          "categories.csv", twin=sent(GRADED_2)),
    held("left out though the last set had it", sent(DAY_2), "file-left-out", "categories", twin=sent(LATER),
         day_1=sent(GRADED_1).zip),
    refused("a header alone where records are required", sent({**DAY_2, "enrollments": []}), "empty-file",
            "enrollments.csv", twin=sent({**DAY_2, "enrollments": DAY_2["enrollments"][:27]})),
    held("a header alone where there were records", sent({**DAY_2, "categories": []}), "empty-file", "categories",
         twin=sent(GRADED_2), day_1=sent(GRADED_1).zip),
    taken("a header alone where there never were records", sent({**DAY_2, "resources": []}, after=DAY_2),
          "empty-optional-file", "resources.csv", twin=sent(GRADED_2)),
    taken("a manifest alone: nothing has changed", alone(manifest_of("1.1", {})), "nothing-sent", "manifest.csv"),
    refused("a manifest alone that promises files", alone(SAID), "missing-file", "users.csv",
            twin=alone(manifest_of("1.1", {}) + b"source.systemName,SIS\r\n")),
    refused("no manifest", sent(DAY_2, manifest=None), "missing-manifest", "manifest.csv",
            says="only OneRoster 1.0 has none"),
    refused("Microsoft SDS", sent(DAY_2, manifest=None, relationships=b"userSourcedId,relationshipUserSourcedId\r\n"),
            "looks-like-sds", twin=sent(DAY_2, relationships=b"userSourcedId,relationshipUserSourcedId\r\n")),
    taken("demographics that the feed does not take in", sent(with_rows(DAY_2, demographics=STRANGER), after=DAY_2),
          None),
]  # fmt: skip


# The words of the manifest --------------------------------------------------------------------------------------


MANIFESTS: Sequence[Case] = [
    taken("mainfest.version", says("manifest.version", "mainfest.version"), "unknown-property", "manifest.csv", 2,
          says="did you mean manifest.version?"),
    taken("fiel.demographics", says("file.demographics", "fiel.demographics"), "unknown-property", "manifest.csv",
          says="did you mean file.demographics?"),
    taken("a property of 1.2", says("file.users,bulk", "file.users,bulk\r\nfile.roles,absent"), "unknown-property",
          "manifest.csv", says="it is of OneRoster 1.2"),
    refused("a property twice", says("file.users,bulk", "file.users,bulk\r\nfile.users,delta"), "bad-manifest",
            "manifest.csv", says="given twice"),
    refused("three columns", says("file.users,bulk", "file.users,bulk,yes"), "bad-manifest", "manifest.csv",
            says="two fields"),
    refused("no header", says("propertyName,value\r\n", ""), "bad-manifest", "manifest.csv", line=1, says="header"),
    taken("propertyValue", says("propertyName,value", "propertyName,propertyValue"), "manifest-header",
          "manifest.csv", 1),
    taken("modes in other case", says(",bulk", ",Bulk"), "enum-case", "manifest.csv"),
    refused("a mode of its own", says("file.users,bulk", "file.users,full"), "bad-mode", "manifest.csv",
            says="file.users"),
    taken("1 for 1.0", says("manifest.version,1.0", "manifest.version,1"), "manifest-version", "manifest.csv", 2),
    refused("manifest.version 2.0", says("manifest.version,1.0", "manifest.version,2.0"), "bad-manifest",
            "manifest.csv", line=2),
    taken("a file of which nothing is said", says("file.users,bulk\r\n", ""), "missing-property", "manifest.csv",
          says="users.csv"),
    refused("no version", says("oneroster.version,1.1\r\n", ""), "bad-manifest", "manifest.csv",
            says="oneroster.version is not given"),
    refused("version 2.0", says("oneroster.version,1.1", "oneroster.version,2.0"), "unsupported-version",
            "manifest.csv", says="OneRoster 2.0"),
]  # fmt: skip


# Versions -------------------------------------------------------------------------------------------------------


LATER_GONE = "resourceSourcedIds"
"""The column that the corrected 1.2 does not have any more."""
FIRST_1_2, NEXT_1_2 = in_1_2(DAY_1), in_1_2(DAY_2)
SET_1_0 = sent(in_1_0(DAY_2), after=without(in_1_0(DAY_2), "demographics"), version="1.0")
SET_1_2 = sent(NEXT_1_2, version="1.2")
DAY_1_2, DAY_1_0 = sent(FIRST_1_2, version="1.2").zip, sent(in_1_0(DAY_1), version="1.0").zip
WITHOUT_COURSES = without(in_1_0(DAY_2), "courses")
WITH_PROFILES = with_rows(
    NEXT_1_2,
    userProfiles=blank("userProfiles", "1.2", sourcedId="P1", userSourcedId="U1", profileType=canary("profile", 1),
                       vendorId="V", credentialType="SSO", username=canary("profile", 2)),
)  # fmt: skip


def without_column(roster: Roster, table: str, column: str) -> Roster:
    """Return the roster without one of a table's columns."""
    return {**roster, table: [{name: cell for name, cell in one.items() if name != column} for one in roster[table]]}


def versioned(word: str) -> Sent:
    """Return a set of 1.2 whose manifest has another word for it."""
    said = manifest_of("1.2", TABLES_1_2).replace(b"oneroster.version,1.2", f"oneroster.version,{word}".encode())
    return sent(NEXT_1_2, version="1.2", manifest=said)


VERSIONS: Sequence[Case] = [
    refused("users.csv of 1.2 in a set of 1.1", sent(DAY_2, users=file_of("users", NEXT_1_2["users"], "1.2")),
            "other-version", "users.csv", line=1, says="OneRoster 1.2"),
    refused("users.csv of 1.1 in a set of 1.2", sent(NEXT_1_2, version="1.2", users=file_of("users", DAY_2["users"])),
            "other-version", "users.csv", line=1, says="OneRoster 1.1", twin=SET_1_2, day_1=DAY_1_2),
    refused("1.2 without roles.csv", sent(without(NEXT_1_2, "roles"), version="1.2"), "missing-file", "roles.csv",
            says="users.csv is bulk and needs it", twin=SET_1_2, day_1=DAY_1_2),
    taken("1.2 without userProfiles.csv",
          sent(with_cells("U30", of=NEXT_1_2, pronouns=canary("pronouns", 1)), version="1.2"), None,
          twin=sent(WITH_PROFILES, version="1.2"), day_1=DAY_1_2, also=ANYWAY),
    taken("users.csv of the corrected 1.2",
          sent(without_column(NEXT_1_2, "users", LATER_GONE), version="1.2", lacks=[LATER_GONE]), None, twin=SET_1_2,
          day_1=DAY_1_2, also=ANYWAY),
    taken("1.2.1", versioned("1.2.1"), "version-suffix", "manifest.csv", 3, twin=SET_1_2, day_1=DAY_1_2),
    taken("1.2_JP", versioned("1.2_JP"), "version-suffix", "manifest.csv", 3, twin=SET_1_2, day_1=DAY_1_2),
    refused("1.0 without courses.csv", sent(WITHOUT_COURSES, version="1.0"), "missing-file", "courses.csv",
            says="has all seven files", twin=SET_1_0, day_1=DAY_1_0),
    taken("1.0 without demographics.csv", sent(without(in_1_0(DAY_2), "demographics"), version="1.0"), "missing-file",
          "demographics.csv", twin=SET_1_0, day_1=DAY_1_0),
]  # fmt: skip

CASES = [*FILES, *MANIFESTS, *VERSIONS]
