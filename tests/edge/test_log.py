"""The log: what passes, what does not, and exceptions without their values."""

import ast
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import structlog

from ingestd import log
from ingestd.core.model import Severity
from ingestd.errors import SinkError

CHILD = "Ann Example"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Give a stream that a test sets the log up on; afterwards everything is as it was."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """Set the log up for JSON and give a function that reads the lines so far."""
    log.configure("debug", json=True, stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_event(lines: Lines) -> None:
    """Each fact is one JSON object on one line."""
    structlog.get_logger().info("run.applied", created=3, seconds=1.5, drop="OneRoster 2026.zip", digest=None)
    (line,) = lines()

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "run.applied",
        "level": "info",
        "created": 3,
        "seconds": 1.5,
        "drop": "OneRoster 2026.zip",
        "digest": None,
    }


def test_feed_and_run_are_bound_for_a_while(lines: Lines) -> None:
    """Every line inside the context carries the feed and the run; none after it."""
    with log.bound(feed="springfield", run="20261122-01"):
        structlog.get_logger().info("run.received")
    structlog.get_logger().info("daemon.stopped")
    inside, after = lines()

    assert (inside["feed"], inside["run"]) == ("springfield", "20261122-01")
    assert "feed" not in after


@pytest.mark.parametrize(
    ("fields", "passed"),
    [
        ({"givenName": CHILD}, {"givenName": "<str>"}),
        ({"record": {"givenName": CHILD}}, {"record": "<dict>"}),
        ({"count": CHILD}, {"count": "<str>"}),
        ({"code": CHILD}, {"code": "<str>"}),
        ({"file": f"users.csv\n{CHILD}"}, {"file": "<str>"}),
        ({"findings": {CHILD: 1}}, {"findings": "<dict>"}),
        ({"findings": {"error": CHILD}}, {"findings": "<dict>"}),
        ({"rows": pd.DataFrame({"givenName": [CHILD]})}, {"rows": "<DataFrame>"}),
        ({"feeds": ["springfield", CHILD]}, {"feeds": "<list>"}),
        ({"exception": CHILD}, {"exception": "<str>"}),
        ({"line": None, "other": None}, {"line": None, "other": "<NoneType>"}),
    ],
)
def test_what_is_not_listed_shows_its_type_only(lines: Lines, fields: dict[str, Any], passed: dict[str, Any]) -> None:
    """A field that is not known, or a value that is not of its field's shape, is replaced by its type's name."""
    structlog.get_logger().info("run.applied", **fields)
    (line,) = lines()

    assert passed.items() <= line.items()
    assert CHILD not in json.dumps(line)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("count", np.int64(3), 3),
        ("seconds", np.float64(1.5), 1.5),
        ("severity", Severity.ERROR, "error"),
        ("changeset", {"users": {"created": 1, "deleted": np.int64(2)}}, {"users": {"created": 1, "deleted": 2}}),
        ("feeds", 4, 4),
        ("feeds", ["springfield"], ["springfield"]),
        ("reason", "thread died", "thread died"),
        ("sourced_id", "u-1@springfield", "u-1@springfield"),
    ],
)
def test_known_fields_pass(lines: Lines, name: str, value: object, shown: object) -> None:
    """Counts, words, names and tables of counts pass as plain JSON."""
    structlog.get_logger().info("run.applied", **{name: value})

    assert lines()[0][name] == shown


def test_text_is_not_an_event(lines: Lines) -> None:
    """An event that is not listed is not shown, for it may have been put together from values."""
    structlog.get_logger().info(f"run of {CHILD}")

    assert lines()[0]["event"] == "event.unlisted"


def test_exception_shows_class_and_frames_only(lines: Lines) -> None:
    """The message of a foreign exception may hold a value; its class and its frames do not."""
    try:
        int(CHILD)
    except ValueError:
        structlog.get_logger().exception("run.failed")
    text = lines()[0]["exception"]

    assert text.startswith("ValueError\n  ")
    assert text.endswith(" in test_exception_shows_class_and_frames_only")
    assert CHILD not in text


def test_our_own_exception_shows_its_message_but_not_its_causes(lines: Lines) -> None:
    """Our messages are written without values; the cause beneath is someone else's."""
    try:
        try:
            dict[str, int]()[CHILD]
        except KeyError as error:
            raise SinkError("the sink is full") from error
    except SinkError as error:
        structlog.get_logger().error("run.failed", exc_info=error)
    text = lines()[0]["exception"]

    assert text.startswith("ingestd.errors.SinkError: the sink is full\n")
    assert "\nKeyError\n" in text
    assert CHILD not in text


def test_library_shows_where_and_not_what(lines: Lines) -> None:
    """A library's warning is heard, without its text; what is less than a warning is not."""
    logging.getLogger("watchdog").warning("lost %s", CHILD)
    logging.getLogger("watchdog").info("found")
    (line,) = lines()

    assert (line["event"], line["level"], line["logger"]) == ("library.message", "warning", "watchdog")
    assert line["file"] == __file__
    assert line["line"] > 0
    assert CHILD not in json.dumps(line)


def test_level_is_kept(stream: io.StringIO) -> None:
    """What is below the level is not written."""
    log.configure("warning", json=True, stream=stream)
    structlog.get_logger().info("run.received")
    structlog.get_logger().warning("run.held")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["run.held"]


def test_not_a_terminal_means_json(stream: io.StringIO) -> None:
    """Under systemd lines are JSON without being asked for."""
    log.configure(stream=stream)
    structlog.get_logger().info("daemon.started", feeds=2)

    assert json.loads(stream.getvalue())["feeds"] == 2


def test_pretty_lines_are_as_discreet(stream: io.StringIO) -> None:
    """The way to a terminal leads through the same list."""
    log.configure(json=False, stream=stream)
    try:
        int(CHILD)
    except ValueError:
        structlog.get_logger().exception("run.failed", givenName=CHILD, count=2)

    assert "run.failed" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert CHILD not in stream.getvalue()


@pytest.mark.parametrize(
    "fault",
    [
        "int('Ann Example')",
        "import threading; thread = threading.Thread(target=int, args=('Ann Example',)); thread.start(); thread.join()",
    ],
)
def test_what_nobody_caught_is_logged_without_values(fault: str) -> None:
    """Python's own traceback would show the message on stderr, and so in the journal."""
    code = f"from ingestd import log\nlog.configure()\n{fault}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    (line,) = map(json.loads, done.stderr.splitlines())

    assert line["event"] == "error.unexpected"
    assert line["exception"].startswith("ValueError")
    assert CHILD not in done.stderr


def test_events_are_dotted_facts_with_a_meaning() -> None:
    """Every event has a name for machines and a sentence for people."""
    for event, meaning in log.EVENTS.items():
        assert event.replace(".", "_").isidentifier()
        assert "." in event
        assert meaning


def test_every_event_of_the_code_is_listed() -> None:
    """Else an operator reads `event.unlisted` where something went wrong."""
    levels = {"debug", "info", "warning", "error", "critical"}
    calls = (
        node
        for path in Path(log.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in levels
        and node.args
    )
    said = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert "run.received" in said
    assert said <= set(log.EVENTS)


def test_a_log_that_cannot_be_written_stops_nothing(stream: io.StringIO) -> None:
    """Be it a full disk or a reader that has gone."""
    log.configure("info", json=True, stream=_Full())
    structlog.get_logger().info("run.applied", created=3)
    stream.close()
    log.configure("info", json=True, stream=stream)
    structlog.get_logger().error("run.failed")
    assert stream.closed


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")
