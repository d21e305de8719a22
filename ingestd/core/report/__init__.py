"""A run in words: its document in; a page for the admin, a receipt for the vendor, rows for a CSV, one log line out.

The law: nothing is told here that is not in the document, and no value of the data can get in, because the document
has none. A run document is what `ingestd show RUN --json` prints (DESIGN section 7); every field but `run`, `feed`
and `state` may be missing, and what is missing is not mentioned.
"""

from ingestd.core.report.breaches import Excess, breach_sentences, group_breaches
from ingestd.core.report.groups import Group, Note, Place, count_words, group_findings
from ingestd.core.report.messages import find_remedy, read_message
from ingestd.core.report.page import Done, list_done, render_html
from ingestd.core.report.prose import group_lines, wrap
from ingestd.core.report.receipt import render_receipt
from ingestd.core.report.rows import findings_rows
from ingestd.core.report.summary import summary_line
from ingestd.core.report.vendor import receipt_document
from ingestd.core.report.verdict import Step, Verdict, failures, judge, tally
from ingestd.core.report.words import (
    Document,
    duration,
    friendly,
    line_list,
    moment,
    number,
    occasion,
    plural,
    sentence,
    some_of,
)

__all__ = [
    "Document",
    "Done",
    "Excess",
    "Group",
    "Note",
    "Place",
    "Step",
    "Verdict",
    "breach_sentences",
    "count_words",
    "duration",
    "failures",
    "find_remedy",
    "findings_rows",
    "friendly",
    "group_breaches",
    "group_findings",
    "group_lines",
    "judge",
    "line_list",
    "list_done",
    "moment",
    "number",
    "occasion",
    "plural",
    "read_message",
    "receipt_document",
    "render_html",
    "render_receipt",
    "sentence",
    "some_of",
    "summary_line",
    "tally",
    "wrap",
]
