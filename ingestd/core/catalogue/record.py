"""Findings about a record as a line of text, before its values are looked at."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "field-count": Entry(
        severity=Severity.ERROR,
        title="A comma too many or too few",
        message="the line has more or fewer fields than the header",
        cause="A value has a comma in it and is not quoted, a quote is missing, or fields at the end were left out "
        "because they are blank.",
        remedy="Look for a stray comma or quote. Have the exporter quote values and write every field.",
        source="CSV Binding 1.2, section 3; RFC 4180",
    ),
    "not-utf-8": Entry(
        severity=Severity.ERROR,
        title="Bytes that are not UTF-8",
        message="the line has bytes that are not UTF-8",
        cause="Some records came into the source system in another encoding, or a name was cut at a number of bytes, "
        "in the midst of a letter.",
        remedy="Type the record's values anew in the source system, and export as UTF-8.",
        source="CSV Binding 1.2, section 3",
    ),
    "control-character": Entry(
        severity=Severity.ERROR,
        title="A character that cannot be seen",
        message="the line has a NUL or another control character",
        cause="It came in with text that was pasted. NULs at the end of a file are a hole: it was packed before it was "
        "written to its end.",
        remedy="Remove it at the source.",
        source="ingestd",
    ),
    "line-break-in-field": Entry(
        severity=Severity.ERROR,
        title="A value of several lines",
        message="a value has a line break in it",
        cause="Two lines were typed into one field of the source system, or a quote that was never closed has "
        "swallowed the lines below.",
        remedy="Remove the line break at the source, and look for a quote that is not closed.",
        source="CSV Binding 1.2, section 3",
    ),
    "misplaced-quote": Entry(
        severity=Severity.ERROR,
        title="Quotes that are not doubled",
        message="a quote stands inside a value",
        cause="The exporter writes the quotes of nicknames and titles as they are, without doubling them.",
        remedy="Quote the whole value and double its quotes.",
        source="CSV Binding 1.2, section 3; RFC 4180",
    ),
    "field-too-long": Entry(
        severity=Severity.ERROR,
        title="A value that is far too long",
        message="a value is longer than {limit} bytes",
        cause="A note or a picture was exported into the column, or a quote is missing and the value runs on.",
        remedy="Shorten it at the source. More than 255 characters need not be kept by any receiver.",
        source="ingestd",
    ),
    "blank-line": Entry(
        severity=Severity.INFO,
        title="A blank line",
        message="the line is blank and was passed over",
        cause="A spreadsheet saves rows that were emptied, and files that were joined have a blank line between them.",
        remedy="Leave it out.",
        source="RFC 4180",
        switchable=True,
    ),
    "unidentified-record": Entry(
        severity=Severity.WARNING,
        title="A line of an unknown record",
        message="a line cannot be read so far that its sourcedId is known, so nothing is removed from this file",
        cause="A line is damaged from its beginning, or runs into the next. Whoever it was is not absent, so all who "
        "are missing from the file are kept.",
        remedy="Mend the line.",
        source="ingestd",
    ),
}
