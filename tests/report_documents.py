"""Run documents for the tests of the report: one per thing that can become of a drop."""

from typing import Any

from ingestd.core.findings import batch, count_by_severity, list_findings
from ingestd.core.guard import Limits, OrgLoss, guard
from ingestd.core.model import Batch, Cause, Changes

SHA256 = "9b1f0c52a7d34e6688f1b0c3d5e7a9124f6d8b0a2c4e6f8193a5b7c9d1e3f507"
DIGEST = "3f9c1a7be04d52c8a96f7e13b28d405c6ea1f9037d5b82c4e6f0a9183b7d2c54"
STAGES = {"unpack": 0.41, "scan": 3.2, "validate": 0.9, "diff": 0.02, "plan": 0.6, "apply": 2.1}


def changes(created: int, updated: int, deleted: int, unchanged: int) -> dict[str, int]:
    """Return one table's part of a changeset."""
    return {"created": created, "updated": updated, "deleted": deleted, "unchanged": unchanged}


def came(rows: int, held_back: int = 0) -> dict[str, int]:
    """Return one table's counts."""
    return {"rows": rows, "valid": rows - held_back, "held_back": held_back}


def said(*batches: Batch) -> dict[str, Any]:
    """Return the part of a document that the findings make."""
    return {
        "findings": count_by_severity(batches),
        "listed_findings": [finding.as_dict() for finding in list_findings(batches)],
    }


def refer(
    code: str, column: str, line: int, count: int, sourced_id: str, target: str, cause: Cause | None = None
) -> Batch:
    """Return the finding that `count` enrollments refer to a record that is held back, or is not there."""
    return batch(
        code,
        file="enrollments.csv",
        column=column,
        lines=(line,),
        stands_for=count,
        caused_by=cause,
        count=f"{count:,}",
        id=sourced_id,
        target=target,
    )


def document(state: str, **fields: Any) -> dict[str, Any]:
    """Return a run document of that state, with what every run has, and `fields`."""
    return {
        "run": "springfield.17",
        "feed": "springfield",
        "feed_name": "Springfield SD",
        "drop": "roster.zip",
        "sha256": SHA256,
        "state": state,
        "received_at": "2026-11-22T06:00:12+00:00",
        "finished_at": "2026-11-22T06:00:20+00:00",
        **fields,
    }


OUTCOMES = [
    {"target": "patrons", "kind": "create", "done": 12, "failed": 0},
    {"target": "patrons", "kind": "update", "done": 39, "failed": 0},
    {"target": "patrons", "kind": "remove", "done": 3, "failed": 0},
    {"target": "classes", "kind": "create", "done": 1, "failed": 0},
]
CHANGESET = {
    "orgs": changes(0, 0, 0, 9),
    "users": changes(12, 41, 3, 4379),
    "classes": changes(1, 0, 0, 611),
    "enrollments": changes(88, 0, 53, 24013),
}
LEFT_OUT = [
    {"table": "classes", "reason": "the class begins in more than 14 days", "count": 118},
    {"table": "users", "reason": "no org of theirs is in scope", "count": 2},
    {"table": "demographics", "reason": "scope.demographics is false", "count": None},
]


def applied() -> dict[str, Any]:
    """Return a drop of an ordinary night: some changes, a few records held back, some repairs."""
    wrong = (
        batch(
            "invalid-enum",
            file="users.csv",
            column="role",
            lines=(12, 13, 14, 15, 51, 388),
            allowed="administrator, aide, student, teacher",
        ),
        refer(
            "reference-to-held-back",
            "userSourcedId",
            901,
            7,
            "U-10482",
            "users.csv",
            Cause("invalid-enum", "users.csv", 12),
        ),
        batch("dropped-value", file="users.csv", column="email", lines=(77, 1042), why="not an e-mail address"),
        batch("byte-order-mark", file="classes.csv"),
        batch("boolean-case", file="users.csv", column="enabledUser", lines=range(2, 4443)),
        batch("enclosing-folder"),
    )
    return document(
        "applied",
        oneroster="1.1",
        modes=dict.fromkeys(("orgs", "users", "classes", "enrollments"), "bulk") | {"results": "absent"},
        tables={"orgs": came(9), "users": came(4441, 6), "classes": came(612), "enrollments": came(24108, 7)},
        changeset=CHANGESET,
        fields={"users": {"grades": 30, "email": 12, "familyName": 2}},
        actions={
            "patrons": {"create": 12, "update": 39, "remove": 3},
            "classes": {"create": 1, "update": 0, "remove": 0},
        },
        outcomes=OUTCOMES,
        digest=DIGEST,
        held_back=13,
        breaches=[],
        left_out=LEFT_OUT,
        stages=STAGES,
        error=None,
        **said(*wrong),
    )


def held() -> dict[str, Any]:
    """Return a drop in which 40 % of the users are gone."""
    too_many = guard("users", Changes(0, 4, 1776, 2661), 4441, Limits())
    too_many_in_org = guard("enrollments", Changes(), 24108, Limits(), (OrgLoss("school-4", 959, 2410),))
    return document(
        "held",
        oneroster="1.1",
        modes={"orgs": "bulk", "users": "bulk", "enrollments": "bulk"},
        tables={"orgs": came(9), "users": came(2665), "enrollments": came(14530)},
        changeset={
            "orgs": changes(0, 0, 0, 9),
            "users": changes(0, 4, 1776, 2661),
            "enrollments": changes(12, 0, 959, 14518),
        },
        fields={"users": {"grades": 4}},
        breaches=[breach.as_dict() for breach in (*too_many, *too_many_in_org)],
        actions={"patrons": {"create": 0, "update": 4, "remove": 1776}},
        digest=DIGEST,
        held_back=0,
        stages={k: v for k, v in STAGES.items() if k != "apply"},
        error=None,
        **said(),
    )


def rejected() -> dict[str, Any]:
    """Return a drop with several root causes, one of which has a long tail."""
    cause = Cause("required-value", "classes.csv", 214)
    wrong = (
        batch("missing-file", name="academicSessions.csv", reason="the manifest says bulk, and it is not in the zip"),
        batch("missing-column", file="users.csv", column="enabledUser", hint="; did you mean enabled?"),
        batch("required-value", file="classes.csv", column="schoolSourcedId", lines=(214, 215, 216, 219)),
        refer("reference-to-held-back", "classSourcedId", 5120, 412, "C-17", "classes.csv", cause),
        refer(
            "reference-to-held-back",
            "classSourcedId",
            6011,
            29,
            "C-19",
            "classes.csv",
            Cause("required-value", "classes.csv", 216),
        ),
        batch("invalid-date", file="users.csv", column="dateLastModified", lines=range(2, 2600)),
        refer("dangling-reference", "userSourcedId", 77, 3, "a1b2c3d4-0f5e-4c21-9d77-8e6f5a4b3c2d", "users.csv"),
        refer("dangling-reference", "userSourcedId", 80, 1, "U-10482", "users.csv"),
        batch("unknown-column", file="users.csv", column="metadata_homeroom_teacher_of_the_pupil"),
        batch("header-case", file="users.csv", column="SourcedId"),
    )
    return document(
        "rejected",
        drop="Springfield SD nightly export (2026-11-22).zip",
        oneroster="1.1",
        modes={"academicSessions": "bulk", "users": "bulk", "classes": "bulk", "enrollments": "bulk"},
        tables={"users": came(4441, 2598), "classes": came(612, 4), "enrollments": came(24108, 445)},
        held_back=3047,
        stages={"unpack": 0.4, "scan": 2.2, "validate": 1.1},
        error=None,
        **said(*wrong),
    )


def first_load() -> dict[str, Any]:
    """Return the first drop of a large district, nothing wrong with it."""
    rows = {
        "orgs": 1_204,
        "academicSessions": 36,
        "courses": 18_220,
        "classes": 402_118,
        "users": 1_000_000,
        "enrollments": 8_000_000,
    }
    return document(
        "applied",
        run="metropolis.1",
        feed="metropolis",
        feed_name="Metropolis Unified School District",
        oneroster="1.1",
        modes=dict.fromkeys(rows, "bulk") | {"demographics": "absent", "results": "absent", "lineItems": "absent"},
        tables={table: came(n) for table, n in rows.items()},
        changeset={table: changes(n, 0, 0, 0) for table, n in rows.items()},
        fields={},
        actions={"patrons": {"create": 1_000_000, "update": 0, "remove": 0}},
        outcomes=[{"target": "patrons", "kind": "create", "done": 1_000_000, "failed": 0}],
        digest=DIGEST,
        held_back=0,
        stages={"unpack": 21.0, "scan": 40.5, "validate": 66.0, "diff": 0.4, "plan": 12.0, "apply": 61.0},
        **said(),
    )


def duplicate() -> dict[str, Any]:
    """Return a drop that came before."""
    return document("duplicate", stages={"claim": 0.04})


def failed() -> dict[str, Any]:
    """Return a good drop whose sink gave up half way."""
    return document(
        "failed",
        oneroster="1.1",
        modes={"users": "bulk"},
        tables={"users": came(4441)},
        changeset={"users": changes(120, 1300, 0, 3021)},
        fields={"users": {"grades": 1290, "email": 14}},
        actions={"patrons": {"create": 120, "update": 1300, "remove": 0}},
        outcomes=[
            {"target": "patrons", "kind": "create", "done": 120, "failed": 0},
            {"target": "patrons", "kind": "update", "done": 680, "failed": {str(n): "HTTP 503" for n in range(620)}},
        ],
        digest=DIGEST,
        held_back=0,
        stages=STAGES,
        error="the sink patrons-api did not answer within 30 s, 5 attempts",
        **said(),
    )


ALL = {make.__name__: make for make in (applied, held, rejected, first_load, duplicate, failed)}
