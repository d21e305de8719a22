"""Rules files from disk. What they mean is `core.rules`' to say."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingestd.config import Feed
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from ingestd.core.toml import hint
from ingestd.errors import ConfigError
from schemas import shapes

Maps = Mapping[str, Mapping[str, str]]


def rules_of(feed: Feed) -> Rules:
    """Return the rules that a feed names, with its own entries of their value maps.

    Raises:
        ConfigError: as `load_rules`.
    """
    return load_rules(feed.rules, feed.maps, f"feeds/{feed.key}.toml")


def load_rules(path: Path, maps: Maps = MappingProxyType({}), said_in: str = "") -> Rules:
    """Return the rules in a file; `maps` are entries of its value maps that come before the file's, `said_in` a file.

    Raises:
        ConfigError: it cannot be read, or has faults; all of them at once, each with the file's name.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({type(error).__name__})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    unknown = [f"{said_in}: {fault}" for fault in _unknown(data, maps, path.stem)]
    rules, faults = parse_rules(data if unknown else _with_maps(data, maps), shapes())
    if faults or unknown:
        raise ConfigError([*(f"{path}: {fault}" for fault in faults), *unknown])
    return rules


def _unknown(data: Mapping[str, Any], maps: Maps, rules: str) -> Iterator[str]:
    there = data.get("maps", {})
    known = [name for name, entries in there.items() if isinstance(entries, dict)] if isinstance(there, dict) else []
    for name in maps:
        if name not in known:
            yield f"maps.{name}: the rules {rules} have no [maps.{name}]{hint(name, known)}"


def _with_maps(data: Mapping[str, Any], maps: Maps) -> dict[str, Any]:
    there = data.get("maps", {})
    return (
        {**data, "maps": {**there, **{name: {**there[name], **own} for name, own in maps.items()}}}
        if maps
        else {**data}
    )
