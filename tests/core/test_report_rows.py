"""A run in words: the receipt, the rows of the CSV, the log line."""

import json
import time

import pytest
from report_documents import ALL, applied, duplicate, failed, first_load, held, rejected, said

from ingestd.core import report
from ingestd.core.catalogue import CATALOGUE, fill
from ingestd.core.findings import batch
from ingestd.core.model import Batch, Cause, Severity


@pytest.mark.parametrize("name", sorted(ALL))
def test_receipt_fits_72_columns(name: str) -> None:
    """No line of a receipt is wider than 72 columns."""
    assert max(map(len, report.render_receipt(ALL[name]()).splitlines())) <= 72


def test_receipt_of_a_hostile_file_name() -> None:
    """A file name with line breaks or terminal codes cannot put a line or a colour into a receipt."""
    text = report.render_receipt(rejected() | {"drop": "a\nACCEPTED\x1b[2J\u202e" + "x" * 300})
    assert text.startswith("REJECTED  a ACCEPTED?[2J?")
    assert max(map(len, text.splitlines())) <= 72


def test_receipt_of_a_good_drop_asks_for_nothing() -> None:
    """A drop with nothing wrong is accepted, its rows counted, and nothing is asked for."""
    text = report.render_receipt(first_load())
    assert text.startswith("ACCEPTED  roster.zip\nThe drop is good.\n")
    assert "users.csv                        1,000,000     1,000,000             0" in text
    assert "\n\nWHAT TO DO\n  Nothing.\n\n" in text
    assert "FINDINGS" not in text


def test_receipt_does_not_tell_the_vendor_of_the_sink() -> None:
    """What went wrong on the receiving side stays there."""
    text = report.render_receipt(failed())
    assert text.startswith("ACCEPTED")
    assert "patrons" not in text


def test_receipt_tells_first_what_rejects() -> None:
    """A rejected drop's receipt has what rejects it, then what to do, then all else; nothing twice."""
    text = report.render_receipt(rejected())
    order = [
        "WHAT REJECTS IT",
        "missing-column",
        "WHAT TO DO",
        "SHA-256",
        "HELD BACK",
        "OTHER FINDINGS",
        "required-value",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert text.count("missing-column") == 1


def test_receipt_says_what_was_not_read() -> None:
    """A file that the feed does not take in is in the table of files, without counts."""
    text = report.render_receipt(applied())
    assert "demographics.csv                 not read: this feed does not take it in\n" in text


def test_receipt_of_a_duplicate_says_so() -> None:
    """A file that came before is told apart from a rejected one."""
    assert report.render_receipt(duplicate()).startswith("DUPLICATE  roster.zip\n")


def test_rows_are_complete() -> None:
    """Every line of every batch is a row, and the counts add up to the batches'."""
    rows = report.findings_rows(
        [
            batch("blank-line", file="users.csv", lines=range(2, 502)),
            batch("missing-manifest", detail=""),
            Batch("dangling-reference", Severity.ERROR, "m", "enrollments.csv", "userSourcedId", (4, 9), 412),
        ]
    )
    assert rows.num_rows == 500 + 1 + 2
    assert rows["severity"].to_pylist()[:3] == ["catastrophic", "error", "error"]
    assert rows["line"].to_pylist()[:3] == [None, 4, 9]
    assert rows["count"].to_pylist()[:3] == [1, 411, 1]
    assert sum(rows["count"].to_pylist()) == 500 + 1 + 412


def test_rows_have_the_fixed_columns() -> None:
    """Without a finding the columns are there all the same."""
    names = "severity code file line column count message remedy caused_by"
    assert report.findings_rows([]).column_names == names.split()


def test_rows_name_the_cause() -> None:
    """A finding that follows from another names its code, file and line."""
    rows = report.findings_rows([Batch("x", Severity.ERROR, "m", "e.csv", caused_by=Cause("bad", "c.csv", 12))])
    assert rows["caused_by"].to_pylist() == ["bad:c.csv:12"]


@pytest.mark.parametrize("gap", ["", " ", "\u00a0", '"', "'", " \"' "])
@pytest.mark.parametrize("start", list("=+-@\uff1d\uff0b\uff0d\uff20"))
def test_rows_are_no_formulas(start: str, gap: str) -> None:
    """A cell that a spreadsheet may run gets an apostrophe in front, in any column of text, behind blanks too."""
    start = gap + start
    rows = report.findings_rows([Batch("x", Severity.ERROR, f"{start}1", f"{start}2.csv", f"{start}3")])
    cells = (rows["message"], rows["file"], rows["column"])
    assert [cell[0].as_py() for cell in cells] == [f"'{start}1", f"'{start}2.csv", f"'{start}3"]


@pytest.mark.parametrize("start", list("\t\r\n"))
def test_rows_do_not_begin_with_what_a_spreadsheet_trims(start: str) -> None:
    """A tab or a line end in front of a cell gets an apostrophe, whatever follows."""
    assert report.findings_rows([Batch("x", Severity.ERROR, f"{start}a")])["message"][0].as_py() == f"'{start}a"


@pytest.mark.parametrize("mark", list(",;|\t"))
def test_rows_are_no_formulas_behind_a_separator(mark: str) -> None:
    """What another program takes for the beginning of a new cell is no formula there either."""
    rows = report.findings_rows([Batch("x", Severity.ERROR, "m", "f", f'a{mark} "=1+1')])
    assert rows["column"][0].as_py() == f"a{mark} \"'=1+1"


def test_rows_leave_plain_text_as_it_is() -> None:
    """No message and no remedy of the catalogue is changed by that, nor an id with a hyphen in it."""
    every = [(fill(one.message), report.find_remedy(code)) for code, one in CATALOGUE.items()]
    rows = report.findings_rows([Batch(code, one.severity, fill(one.message)) for code, one in CATALOGUE.items()])
    assert set(zip(rows["message"].to_pylist(), rows["remedy"].to_pylist(), strict=True)) == set(every)
    assert report.findings_rows([Batch("x", Severity.ERROR, "C-17, a=b")])["message"][0].as_py() == "C-17, a=b"


def test_rows_of_many_batches_are_quick() -> None:
    """A batch per dangling reference, 20,000 of them, is no matter of seconds."""
    many = [Batch("dangling-reference", Severity.ERROR, f"id {n}", "e.csv", "c", (n + 2,)) for n in range(20_000)]
    start = time.perf_counter()
    assert report.findings_rows(many).num_rows == 20_000
    assert time.perf_counter() - start < 2


def test_log_line_counts() -> None:
    """The log line has the run's counts, codes and seconds."""
    line = report.summary_line(applied())
    assert {"run": "springfield.17", "rows": 29170, "valid": 29157, "held_back": 13}.items() <= line.items()
    assert {"created": 101, "updated": 41, "deleted": 56, "create": 13, "done": 55}.items() <= line.items()
    assert {"left_out": 120, "breaches": 0, "seconds": 7.23}.items() <= line.items()
    assert line["codes"]["reference-to-held-back"] == 7
    assert report.summary_line(held())["codes"] == {"too-many-deletes": 1, "too-many-deletes-in-org": 1}


def test_log_line_has_no_text_of_others() -> None:
    """No message, reason, error, file name or district name reaches the log line."""
    spoilt = failed() | {"error": "CANARY", "feed_name": "CANARY", "drop": "CANARY.zip"}
    spoilt |= said(Batch("x", Severity.ERROR, "CANARY", "CANARY.csv", "CANARY"))
    spoilt["left_out"] = [{"table": "CANARY", "reason": "CANARY", "count": 1}]
    spoilt["outcomes"] = [{"target": "CANARY", "kind": "update", "done": 0, "failed": {"1": "CANARY"}}]
    assert "CANARY" not in json.dumps(report.summary_line(spoilt))
