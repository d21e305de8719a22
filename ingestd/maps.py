"""`ingestd maps`: the values that the roster has, and what each value map makes of them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ingestd.core.report.words import plural
from ingestd.core.rules import Rules
from ingestd.core.verbs import map_values
from ingestd.feed import Feed
from ingestd.stages import Stages
from ingestd.tables import Tables
from ingestd.targets import Targets


def map_entries(feed: Feed) -> list[dict[str, Any]]:
    """Return `{"map", "value", "count", "becomes", "fields"}` for each value; unmapped ones first, then the frequent.

    `becomes` is None where the map has no entry. The roster is that of the held run if there is one, else the snapshot.
    """
    policy = feed.runs.policy
    prepared = feed.preview(None)
    tables = Tables(feed.store.snapshot, prepared.settled, policy.scope, feed.runs.today())
    targets = Targets(feed.runs.sinks.owned(), tables, policy, True, Stages())
    counts: Counter[tuple[str, str]] = Counter()
    fields: dict[tuple[str, str], list[str]] = {}
    for name, field, found in targets.found_values():
        for value, count in found.items():
            counts[name, value] += count
            fields.setdefault((name, value), []).append(field)
    entries = [
        {
            "map": name,
            "value": value,
            "count": count,
            "becomes": _entry(policy.rules, name, value),
            "fields": fields[name, value],
        }
        for (name, value), count in counts.items()
    ]
    return sorted(entries, key=lambda one: (one["becomes"] is not None, one["map"], -one["count"], one["value"]))


def _entry(rules: Rules, name: str, value: str) -> str | None:
    mapped, missed = map_values(pa.array([value], pa.large_string()), rules.maps[name], ignore_case=rules.ignore_case)
    return None if missed[0] else str(mapped[0])


def render_toml(entries: Sequence[dict[str, Any]]) -> str:
    """Return the unmapped values as TOML, to be filled in and put into the rules file."""
    return "".join(f"{line}\n" for line in _lines([one for one in entries if one["becomes"] is None]))


def _lines(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    for name in dict.fromkeys(one["map"] for one in entries):
        yield f"[maps.{name}]"
        for one in entries:
            if one["map"] == name:
                value = json.dumps(one["value"], ensure_ascii=False)  # a string of JSON is one of TOML
                yield f'{value} = ""    # {plural(one["count"], "record")}, for {", ".join(one["fields"])}'
