"""Findings about the set of files: the manifest, the version, what is there and what is not."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "missing-manifest": Entry(
        severity=Severity.CATASTROPHIC,
        title="No manifest",
        message="manifest.csv is missing{detail}",
        cause="The export is of OneRoster 1.0, which had no manifest, or the exporter leaves it out. Without it nobody "
        "can say which version the files are of, nor whether a file is complete or has changes only.",
        remedy="Export as OneRoster 1.1 or 1.2 with manifest.csv: the version, and a row for each file.",
        source="CSV Binding 1.2, section 2.3",
    ),
    "unsupported-version": Entry(
        severity=Severity.CATASTROPHIC,
        title="A version that is not read",
        message="OneRoster {version} is not read; {known} are",
        cause="What manifest.csv has as oneroster.version is no version of the CSV binding, or is one that came later.",
        remedy="Export as a version that is read, and write its number as oneroster.version in manifest.csv.",
        source="CSV Binding 1.2, section 2.3",
    ),
    "version-suffix": Entry(
        severity=Severity.INFO,
        title="A version with a suffix",
        message="oneroster.version was written as {given}; it was read as {version}",
        cause="The exporter names the corrected edition of the document (1.2.1) or a national profile (1.2_JP), where "
        "the manifest is to have the version alone.",
        remedy="Write oneroster.version as {version}.",
        source="CSV Binding 1.2, table 3.1",
        switchable=True,
    ),
    "other-version": Entry(
        severity=Severity.CATASTROPHIC,
        title="A file of another version",
        message="{file} has the header of OneRoster {other}, and the set is read as {version}",
        cause="The manifest names one version and the exporter writes another, or one file was left over from an "
        "export in the older format.",
        remedy="Export all files in one version, and name that version in manifest.csv.",
        source="CSV Binding 1.2, section 2.3",
    ),
    "bad-manifest": Entry(
        severity=Severity.CATASTROPHIC,
        title="A manifest that cannot be read",
        message="manifest.csv cannot be read: {detail}",
        cause="It was written by hand, or saved by a spreadsheet with other separators or more columns. What it says "
        "decides what may be removed, so nothing in it is guessed.",
        remedy="Send the header propertyName,value and a row per property.",
        source="CSV Binding 1.2, section 3.1",
    ),
    "manifest-header": Entry(
        severity=Severity.INFO,
        title="Another header in the manifest",
        message="the header of manifest.csv was not propertyName,value; it was read so",
        cause="Some exporters have names of their own for the two columns, such as propertyValue.",
        remedy="Write the header as propertyName,value.",
        source="CSV Binding 1.2, section 3.1",
        switchable=True,
    ),
    "manifest-version": Entry(
        severity=Severity.INFO,
        title="manifest.version is not 1.0",
        message="manifest.version was not written as 1.0",
        cause="A spreadsheet takes 1.0 for a number and saves it as 1, or the exporter leaves the row out.",
        remedy="Write 1.0; in a spreadsheet, format the cell as text.",
        source="CSV Binding 1.2, table 3.1",
        switchable=True,
    ),
    "unknown-property": Entry(
        severity=Severity.WARNING,
        title="An unknown property",
        message="the manifest's property {name} is not known{hint}",
        cause="The name is misspelt, is of another version of OneRoster, or is the exporter's own.",
        remedy="Correct the property's name, or remove the row.",
        source="CSV Binding 1.2, table 3.1",
    ),
    "missing-property": Entry(
        severity=Severity.WARNING,
        title="A file that nothing is said of",
        message="the manifest does not say whether {name} is absent, bulk or delta; the zip decides",
        cause="Many exporters list some files only; the standard wants a row for every file that it knows.",
        remedy="Add the row, with absent, bulk or delta.",
        source="CSV Binding 1.2, table 3.1",
    ),
    "bad-mode": Entry(
        severity=Severity.CATASTROPHIC,
        title="Neither absent, bulk nor delta",
        message="the manifest's {name} must be absent, bulk or delta",
        cause="The exporter has words of its own, such as full, yes or incremental. What is meant decides what may be "
        "removed, so it is not guessed.",
        remedy="Write one of the three words.",
        source="CSV Binding 1.2, table 3.1",
    ),
    "missing-file": Entry(
        severity=Severity.CATASTROPHIC,
        title="A file is missing",
        message="{name} is missing: {reason}",
        cause="A step of the export failed or found nothing to write, the file is not on the list of what is zipped, "
        "or the manifest is a fixed text that promises more than is sent.",
        remedy="Send the file. If it is not meant to be sent, declare it absent in manifest.csv, and ask the operator "
        "to let the feed do without it.",
        source="CSV Binding 1.2, section 2.3 and appendix A",
    ),
    "undeclared-file": Entry(
        severity=Severity.WARNING,
        title="A file declared absent",
        message="the manifest calls {name} absent, so it was not read",
        cause="The manifest is a fixed text, and was not changed when the export began to send the file.",
        remedy="Declare the file in the manifest, or leave it out.",
        source="CSV Binding 1.2, section 2.3",
    ),
    "delta-before-bulk": Entry(
        severity=Severity.CATASTROPHIC,
        title="A delta before any bulk",
        message="{name} is a delta and nothing has been accepted yet",
        cause="The export sends changes only and has never sent everything, or this feed is new and the export goes on "
        "from where it was with another receiver.",
        remedy="Send a bulk set first; deltas can follow it.",
        source="CSV Binding 1.2, section 3",
    ),
    "delta-alone": Entry(
        severity=Severity.INFO,
        title="A delta checked on its own",
        message="{name} is a delta and was checked on its own; what it refers to elsewhere was not looked up",
        cause="A delta may refer to records that were sent before it, and `ingestd check` knows of none.",
        remedy="None needed. `ingestd plan` holds the delta against what its feed has accepted.",
        source="ingestd",
    ),
    "sequence-gap": Entry(
        severity=Severity.WARNING,
        title="Deltas left out",
        message="between the drop before and this delta, by their names, these did not come: {given}",
        cause="A delta was not sent, was lost on its way, or was taken away before it came here. What it said is said "
        "by no later delta.",
        remedy="Send a bulk set, which makes up for whatever is missing. If nothing is missing, name the zips so that "
        "their numbers follow each other.",
        source="ingestd",
    ),
    "sequence-backwards": Entry(
        severity=Severity.WARNING,
        title="An earlier delta after a later one",
        message="the name of this delta has an earlier number or date than that of the drop before",
        cause="Deltas were sent in another order than they were made in, an old one was sent again, or the numbers "
        "began anew.",
        remedy="Send deltas in the order in which they were made. If an old one may have undone something newer, send "
        "a bulk set.",
        source="ingestd",
    ),
    "nothing-sent": Entry(
        severity=Severity.INFO,
        title="Nothing was sent",
        message="the manifest says that nothing has changed; nothing was read",
        cause="A set of manifest.csv alone is how the standard says that there were no updates.",
        remedy="None needed, unless files were meant to be sent: then look why the export wrote none.",
        source="CSV Binding 1.2, section 2.1",
    ),
    "looks-like-sds": Entry(
        severity=Severity.CATASTROPHIC,
        title="Microsoft SDS, not OneRoster",
        message="this is a Microsoft SDS v2.1 set, not OneRoster",
        cause="Microsoft School Data Sync has a CSV format of its own, with files of the same names.",
        remedy="Export as OneRoster 1.1 or 1.2 CSV; SDS is a format of its own.",
        source="Microsoft School Data Sync v2.1",
    ),
}
