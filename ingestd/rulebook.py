"""Rules files, and files of pins, from disk. What they mean is the core's to say."""

import tomllib
from pathlib import Path

from ingestd.core.pinfile import parse_pins
from ingestd.core.pins import Pins
from ingestd.core.rules import Rules
from ingestd.core.rulesfile import parse_rules
from ingestd.errors import ConfigError
from schemas import shapes


def load_rules(path: Path) -> Rules:
    """Return the rules in a file.

    Raises:
        ConfigError: it cannot be read, or has faults; all of them at once, each with the file's name.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({type(error).__name__})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    rules, faults = parse_rules(data, shapes())
    if faults:
        raise ConfigError([f"{path}: {fault}" for fault in faults])
    return rules


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
