"""The catalogue of findings: one source for severities, messages, remedies and the docs.

A code is a kebab-case noun. Messages are templates over names, counts and ids, never over values of the data.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from ingestd.core.model import Batch, Cause, Finding, Severity

CAP = 100
"""How many findings of one code in one file a report lists; the rest is one finding with its count."""

FURTHER = "; here and further on"
"""What the message of the last finding of a capped code ends with."""
ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: how grave it is, what it says, what to do. `repair`: strictness turns it into an error."""

    severity: Severity
    message: str
    remedy: str
    repair: bool = False


_C, _E, _W, _I = Severity.CATASTROPHIC, Severity.ERROR, Severity.WARNING, Severity.INFO

CATALOGUE: dict[str, Entry] = {
    # The zip ------------------------------------------------------------------------------------------------
    "not-a-zip": Entry(_C, "the drop is not a zip: {detail}", "Send a .zip that holds the CSV files."),
    "incomplete-zip": Entry(_C, "the zip is cut off or damaged: {detail}", "Send the zip again, whole."),
    "unsafe-zip": Entry(_C, "the zip is not one that is opened: {detail}", "Zip the plain CSV files, nothing else."),
    "zip-too-large": Entry(_C, "the zip goes beyond a limit: {detail}", "Ask the operator to raise [package]."),
    "enclosing-folder": Entry(
        _I, "the files lie in one folder inside the zip", "Zip the files, not the folder.", repair=True
    ),
    "ignored-file": Entry(_I, "{name} is not a roster file and was not read", "Leave it out of the zip."),
    "file-name-case": Entry(_I, "{name} was read as {expected}", "Name the file {expected}.", repair=True),
    "duplicate-file": Entry(_C, "{name} is in the zip twice", "Send each file once."),
    # The set of files ---------------------------------------------------------------------------------------
    "missing-manifest": Entry(
        _C, "manifest.csv is missing{detail}", "Export as OneRoster 1.1, which has a manifest.csv."
    ),
    "unsupported-version": Entry(
        _C, "OneRoster {version} is not read by this version; 1.1 is", "Export as OneRoster 1.1."
    ),
    "bad-manifest": Entry(
        _C, "manifest.csv cannot be read: {detail}", "Send the header propertyName,value and a row per property."
    ),
    "manifest-version": Entry(
        _I, "manifest.version was not written as 1.0", "A spreadsheet eats the .0: write 1.0.", repair=True
    ),
    "unknown-property": Entry(_W, "the manifest's property {name} is not known{hint}", "Correct the property's name."),
    "missing-property": Entry(
        _W, "the manifest does not say whether {name} is absent, bulk or delta; the zip decides", "Add the row."
    ),
    "bad-mode": Entry(_C, "the manifest's {name} must be absent, bulk or delta", "Write one of the three words."),
    "missing-file": Entry(
        _C, "{name} is missing: {reason}", "Send the file, or ask the operator to let the feed do without it."
    ),
    "undeclared-file": Entry(
        _W, "the manifest calls {name} absent, so it was not read", "Declare the file in the manifest, or leave it out."
    ),
    "delta-before-bulk": Entry(_C, "{name} is a delta and nothing has been accepted yet", "Send a bulk set first."),
    "looks-like-sds": Entry(
        _C,
        "this is a Microsoft SDS v2.1 set, not OneRoster",
        "Export as OneRoster 1.1 CSV; SDS is a format of its own.",
    ),
    # A file as a whole --------------------------------------------------------------------------------------
    "empty-file": Entry(_C, "{name} has no records", "Send the file with its records. An empty file removes nobody."),
    "empty-optional-file": Entry(_W, "{name} has no records", "Declare the file absent in the manifest."),
    "not-utf-8-file": Entry(_C, "the file is {encoding}, not UTF-8", "Export as UTF-8."),
    "byte-order-mark": Entry(
        _I, "the file begins with a byte order mark", "None needed: the standard allows it.", repair=True
    ),
    "missing-header": Entry(
        _C, "the file has no usable header: {detail}", "Begin the file with the standard's header."
    ),
    "duplicate-column": Entry(_C, "the column stands in the header twice", "Name each column once."),
    "missing-column": Entry(_C, "the column is missing from the header{hint}", "Name it as the standard does."),
    "missing-optional-column": Entry(
        _W, "the column is missing from the header; it was read as blank{hint}", "Send every column of the standard."
    ),
    "unknown-column": Entry(
        _W, "the column is not in the standard and was not read", "Name columns of your own metadata.<name>."
    ),
    "header-case": Entry(
        _I, "the header spells the column in another case", "Spell it as the standard does.", repair=True
    ),
    "header-order": Entry(
        _I, "the header's order is not the standard's", "None needed: columns are read by name.", repair=True
    ),
    "line-too-long": Entry(_C, "the line is longer than {limit} bytes", "Look for a missing line end or quote."),
    "nothing-valid": Entry(_C, "the file has no valid record; held back: {count}", "Mend the errors in this file."),
    # A record -----------------------------------------------------------------------------------------------
    "field-count": Entry(_E, "the line has more or fewer fields than the header", "Look for a stray comma or quote."),
    "not-utf-8": Entry(_E, "the line has bytes that are not UTF-8", "Export as UTF-8."),
    "control-character": Entry(_E, "the line has a NUL or another control character", "Remove it at the source."),
    "line-break-in-field": Entry(_E, "a value has a line break in it", "Remove the line break at the source."),
    "misplaced-quote": Entry(_E, "a quote stands inside a value", "Quote the whole value and double its quotes."),
    "field-too-long": Entry(_E, "a value is longer than {limit} bytes", "Shorten it at the source."),
    "blank-line": Entry(_I, "the line is blank and was passed over", "Leave it out.", repair=True),
    "required-value": Entry(_E, "the value is required and blank", "Fill it at the source."),
    "invalid-guid": Entry(
        _E, "the id has characters other than letters, digits and . - _ / @, or is too long", "Use a plainer id."
    ),
    "invalid-enum": Entry(_E, "the value is not one of {allowed}", "Use one of the standard's words."),
    "invalid-boolean": Entry(_E, "the value is not true or false", "Write true or false."),
    "invalid-date": Entry(_E, "the value is not a date such as 2026-08-20", "Write dates as YYYY-MM-DD."),
    "invalid-datetime": Entry(_E, "the value is not a UTC time such as 2026-08-20T18:25:43.511Z", "Write times so."),
    "invalid-year": Entry(_E, "the value is not a year such as 2027", "Write the year in which the school year ends."),
    "dropped-value": Entry(_W, "an optional value was left out: {why}", "Correct it, or leave it blank."),
    "duplicate-record": Entry(_W, "the record is in the file more than once, each time the same", "Send it once."),
    "duplicate-sourcedid": Entry(
        _E, "the sourcedId is in the file more than once, with different content", "Ids must be unique in a file."
    ),
    "dangling-reference": Entry(
        _E,
        "{file} refers in {count} of its records to {id}, which {target} does not have",
        "Send the missing record.",
    ),
    "dangling-optional-reference": Entry(
        _W,
        "{file} refers in {count} of its records to {id}, which {target} does not have; the reference was left out",
        "Send it, or leave it blank.",
    ),
    "reference-to-held-back": Entry(
        _E,
        "{file} refers in {count} of its records to {id} of {target}, which was held back",
        "Mend the cause first.",
    ),
    "tobedeleted-in-bulk": Entry(
        _W, "a bulk file marks the record tobedeleted; it was read as gone", "Leave it out of a bulk file."
    ),
    "inactive-status": Entry(
        _W, "status inactive is OneRoster 1.0; it was read as tobedeleted", "Leave it out.", repair=True
    ),
    "unidentified-record": Entry(
        _W,
        "a line cannot be read so far that its sourcedId is known, so nothing is removed from this file",
        "Mend the line.",
    ),
    # Repairs of values --------------------------------------------------------------------------------------
    "boolean-case": Entry(_I, "true or false was written in another case", "Write it in lower case.", repair=True),
    "enum-case": Entry(
        _I, "a word of the standard was written in another case", "Write it as the standard does.", repair=True
    ),
    "school-year-range": Entry(
        _I, "the school year was a range, read as the year in which it ends", "Write that year alone.", repair=True
    ),
    "list-blanks": Entry(
        _I, "blanks around the items of a list were removed", "Separate items by a comma alone.", repair=True
    ),
    "bulk-status": Entry(_I, "status is filled in a bulk file and was passed over", "Leave it blank in a bulk file."),
    "bulk-date": Entry(
        _I, "dateLastModified is filled in a bulk file and was passed over", "Leave it blank in a bulk file."
    ),
    "password-dropped": Entry(_I, "passwords are never kept; the column was emptied", "Do not export passwords."),
    # Mapping ------------------------------------------------------------------------------------------------
    "unmapped-value": Entry(_E, "a value has no entry in the value map {map}", "Add it to [maps.{map}] of the rules."),
    "duplicate-target-key": Entry(_E, "two records give the same key in {target}", "Choose a key that is unique."),
}


def batch(
    code: str,
    *,
    file: str | None = None,
    column: str | None = None,
    lines: Iterable[int] = (),
    stands_for: int | None = None,
    caused_by: Cause | None = None,
    severity: Severity | None = None,
    **words: object,
) -> Batch:
    """Make the findings of one code, its message filled with `words`.

    Raises:
        KeyError: the code is not in the catalogue, or its message wants a word that is not given.
    """
    entry = CATALOGUE[code]
    message = entry.message.format(**{"file": file, **words})
    at = tuple(int(line) for line in lines)
    return Batch(code, severity or entry.severity, message, file, column, at, stands_for, caused_by)


def strict(
    batches: Iterable[Batch], codes: bool | Sequence[str], refused: Severity = Severity.ERROR
) -> tuple[Batch, ...]:
    """Refuse repairs (law 8): all of them if `codes` is True, else those named.

    A repair of a record becomes an error, which holds it back; one of a whole file, `refused` as catastrophic, rejects.
    """
    if codes is False:
        return tuple(batches)

    def is_refused(one: Batch) -> bool:
        is_mild = one.severity in (Severity.INFO, Severity.WARNING)
        return is_mild and CATALOGUE[one.code].repair and (codes is True or one.code in codes)

    return tuple(replace(one, severity=refused) if is_refused(one) else one for one in batches)


def list_findings(batches: Iterable[Batch], cap: int = CAP) -> tuple[Finding, ...]:
    """Return the findings to show: gravest first, root causes before what follows, at most `cap` per code and file.

    The counts add up to the truth: what is beyond the cap is the last finding of its code, and carries the rest.
    """
    groups: dict[tuple[str, str | None], list[Batch]] = {}
    for one in batches:
        groups.setdefault((one.code, one.file), []).append(one)
    shown = [finding for group in groups.values() for finding in _capped(group, cap)]
    return tuple(sorted(shown, key=lambda f: (ORDER.index(f.severity), f.caused_by is not None)))


def _capped(group: Sequence[Batch], cap: int) -> list[Finding]:
    each = list(islice(chain.from_iterable(map(_each, group)), cap + 1))
    if len(each) <= cap:
        return each
    kept, next_one = each[: cap - 1], each[cap - 1]
    rest = sum(one.count for one in group) - sum(finding.count for finding in kept)
    return [*kept, replace(next_one, message=next_one.message + FURTHER, count=rest)]


def _each(one: Batch) -> Iterator[Finding]:
    whole = one.stands_for is not None or not one.lines
    for line in one.lines[:1] or (None,) if whole else one.lines:
        count = one.count if whole else 1
        yield Finding(one.code, one.severity, one.message, one.file, line, one.column, count, one.caused_by)


def count_by_severity(batches: Iterable[Batch]) -> dict[str, int]:
    """Return how many records or files each severity concerns, `{"catastrophic": 0, "error": 2, …}`."""
    counts = {str(severity): 0 for severity in Severity}
    for one in batches:
        counts[str(one.severity)] += one.count
    return counts


def is_rejected(batches: Iterable[Batch]) -> bool:
    """Return whether a catastrophic finding is among them."""
    return any(one.severity is Severity.CATASTROPHIC for one in batches)
