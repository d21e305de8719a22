"""Findings about a file as a whole: whether it has records, its encoding, its header."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "empty-file": Entry(
        severity=Severity.CATASTROPHIC,
        title="A required file without records",
        message="{name} has no records",
        cause="The export's query found nothing: the school year has ended or not begun, a permission was lost, a "
        "filter lets nobody through. That there is truly nobody is rare.",
        remedy="Send the file with its records. An empty file removes nobody.",
        source="CSV Binding 1.2, section 3",
    ),
    "empty-optional-file": Entry(
        severity=Severity.WARNING,
        title="A file without records",
        message="{name} has no records",
        cause="The exporter writes the header also when there is nothing under it. Some receivers ask for that; the "
        "standard forbids it.",
        remedy="Leave the file out, and declare it absent in the manifest.",
        source="CSV Binding 1.2, section 3",
    ),
    "not-utf-8-file": Entry(
        severity=Severity.CATASTROPHIC,
        title="A file in another encoding",
        message="the file is {encoding}, not UTF-8",
        cause="Spreadsheets and older exporters write the encoding of their country (cp1252, Shift-JIS), or UTF-16, "
        "which Windows calls Unicode.",
        remedy="Export as UTF-8. Where the exporter cannot, ask the operator: cp1252 and Shift-JIS can be allowed for "
        "a feed.",
        source="CSV Binding 1.2, section 3",
    ),
    "encoding-converted": Entry(
        severity=Severity.INFO,
        title="Read in another encoding",
        message="not all of the file is UTF-8; the lines that are not were read as {encoding}, as the feed says",
        cause="The exporter does not write UTF-8, and the operator has named its encoding in the feed's settings.",
        remedy="None needed. Once the exporter writes UTF-8, tell the operator.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "byte-order-mark": Entry(
        severity=Severity.INFO,
        title="A byte order mark",
        message="the file begins with a byte order mark",
        cause="Windows programs put three bytes before a text to mark it as UTF-8.",
        remedy="None needed: the standard allows it.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "missing-header": Entry(
        severity=Severity.CATASTROPHIC,
        title="No usable header",
        message="the file has no usable header: {detail}",
        cause="The first line is a record, a title or blank, or the columns are separated by semicolons or tabs, as "
        "spreadsheets do in many countries.",
        remedy="Begin the file with the standard's header, its names separated by commas.",
        source="CSV Binding 1.2, section 3",
    ),
    "duplicate-column": Entry(
        severity=Severity.CATASTROPHIC,
        title="The same column twice",
        message="the column stands in the header twice",
        cause="A column was added that the export had already, two of its fields were given one name, or two names "
        "that the settings of the feed's SIS have for one column. Nobody can say which of them is meant.",
        remedy="Name each column once.",
        source="CSV Binding 1.2, section 3",
    ),
    "missing-column": Entry(
        severity=Severity.CATASTROPHIC,
        title="A required column is missing",
        message="the column is missing from the header{hint}",
        cause="The header has another name for it, such as that of OneRoster 1.0 or of the REST API, or the exporter "
        "leaves out columns for which it has no data.",
        remedy="Put the column into the header, named as the standard does, and fill it.",
        source="CSV Binding 1.2, section 3",
    ),
    "missing-optional-column": Entry(
        severity=Severity.WARNING,
        title="An optional column is missing",
        message="the column is missing from the header; it was read as blank{hint}",
        cause="The exporter leaves out columns for which it has no data. The standard wants all of them in the header, "
        "filled or not.",
        remedy="Send every column of the standard; its cells may be blank.",
        source="CSV Binding 1.2, section 3",
    ),
    "unknown-column": Entry(
        severity=Severity.WARNING,
        title="A column that is not read",
        message="the column is not in the standard and was not read",
        cause="It is the exporter's own, of another version of OneRoster, or a name of the standard that is misspelt.",
        remedy="Correct the name. Name columns of your own metadata.<name>, to the right of all others.",
        source="CSV Binding 1.2, section 3",
    ),
    "header-alias": Entry(
        severity=Severity.INFO,
        title="A column under another name",
        message="the header calls the column {given}; it was read as {column}",
        cause="The name is that of an older version of OneRoster, a misspelling that is widespread, or one that the "
        "settings of the feed's SIS say.",
        remedy="Name the column {column}.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "header-case": Entry(
        severity=Severity.INFO,
        title="A column name in another case",
        message="the header spells the column in another case",
        cause="The exporter, or the database under it, does not tell upper and lower case apart.",
        remedy="Spell it as the standard does.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "header-order": Entry(
        severity=Severity.INFO,
        title="Columns in another order",
        message="the header's order is not the standard's",
        cause="The exporter has an order of its own, that of an older version, or puts new columns at the end.",
        remedy="None needed: columns are read by name. Other receivers may demand the standard's order.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "trailing-columns": Entry(
        severity=Severity.INFO,
        title="Blank names in the header",
        message="the header ends in {count} blank names; they were passed over",
        cause="A spreadsheet saves every column that was ever touched, and some exporters end each line in a comma.",
        remedy="Remove the commas at the end of the lines.",
        source="CSV Binding 1.2, section 3",
        switchable=True,
    ),
    "line-too-long": Entry(
        severity=Severity.CATASTROPHIC,
        title="A line that does not end",
        message="the line is longer than {limit} bytes",
        cause="A quote was opened and never closed, or line ends are missing, so that many records are one line.",
        remedy="Look for a missing line end or quote.",
        source="ingestd",
    ),
    "nothing-valid": Entry(
        severity=Severity.CATASTROPHIC,
        title="A file without a valid record",
        message="the file has no valid record; held back: {count}",
        cause="Every record has an error, and mostly the same one: a column is shifted, or an export setting was "
        "changed. Such a file says nothing about the district.",
        remedy="Mend the errors in this file.",
        source="ingestd",
    ),
}
