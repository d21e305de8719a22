"""Rules files from disk. What they mean is `core.rules`' to say."""

import tomllib
from pathlib import Path

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
