"""What a run is called by: what it is for."""

from typing import Any

import pytest

from ingestd.core import report


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"drop": "roster.zip"}, "roster.zip"),
        ({"rekey": {"users": 1_200, "orgs": 1}}, "1,201 ids changed"),
        ({"rekey": {"users": 1}}, "1 id changed"),
        ({"reconcile": "crm"}, "what others changed in crm"),
        ({"undo": 17}, "the reverse of springfield.17"),
        ({}, "planned again without a drop"),
        ({"drop": None}, "planned again without a drop"),
    ],
)
def test_a_run_is_called_by_what_it_is_for(about: dict[str, Any], told: str) -> None:
    """Its drop; else what somebody asked for; else it is a plan made anew."""
    assert report.occasion({"run": "springfield.18", "feed": "springfield", **about}) == told
