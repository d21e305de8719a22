"""Rules files, and files of pins, from disk. What they mean is the core's to say."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingestd.config import Feed
from ingestd.core.pinfile import parse_pins
from ingestd.core.pins import Pins
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


def pins_of(feed: Feed, rules: Rules) -> Pins:
    """Return the pins of a feed, none if it names no file.

    Raises:
        ConfigError: as `load_pins`.
    """
    return load_pins(feed.pins, rules) if feed.pins else Pins()


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


def load_pins(path: Path, rules: Rules) -> Pins:
    """Return the pins in a file, for the target tables of these rules.

    Raises:
        ConfigError: it cannot be read, or has faults; all of them at once, each with the file's name.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); correct `pins` of the feed"]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}: line {line}: is not UTF-8; save the file as UTF-8"]) from None
    pins, faults = parse_pins(text, rules, shapes())
    if faults:
        raise ConfigError([f"{path}: {fault}" for fault in faults])
    return pins
