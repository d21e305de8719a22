"""What the configuration's words mean: durations, percentages, sizes, addresses, times, references to secrets.

Law: a parser takes what TOML gives. It returns the typed value, or raises `ValueError` with the end of a sentence
that begins with what was found (`"ten"` … `is not a duration, like "60s"`). A secret's fault never says what was found.
"""

import re
from collections.abc import Callable
from datetime import time, timedelta
from importlib.metadata import entry_points
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, PlainValidator, StrictBool, StrictInt, ValidationInfo
from pydantic_core import PydanticCustomError

from ingestd.config.places import places_of
from ingestd.config.words import Written, hint, listed, quoted
from ingestd.core.delivery import check_url
from ingestd.core.findings import CATALOGUE
from schemas import NAMES, VERSIONS

TABLES = tuple(sorted(NAMES[VERSIONS[-1]], key=str.lower))
"""The tables of OneRoster; the newest version has those of all others."""

DURATION = 'a duration, like "60s", "10m", "2h" or "90d"'
SHARE = 'a percentage from "0%" to "100%"'
SIZE = 'a size, like "64KiB", "512MiB" or "4GiB"'
ADDRESS = 'an address and a port, like "127.0.0.1:2222" or "[::1]:2222"'
TIME = 'a time of day, like "02:00"'
ZONE = 'a time zone, like "America/Chicago"'
REFERENCE = 'a reference: "credential:NAME", "env:NAME" or "file:PATH"'
FINGERPRINT = 'the fingerprint of a host key, like "SHA256:" and 43 characters, as ssh-keygen -l shows it'
FILE_NAME = 'the name of a file, like "roster.zip"'
COUNTRY = 'the two letters of a country, like "US"'
STRICT = "true, false or a list of switchable codes"

_NEVER = "a secret is never written into the configuration"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SECRET_KEY = re.compile(r"(?i)(password|passphrase|secret|token|api_?key|private_?key)$")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


def _match(pattern: str, found: object) -> re.Match[str] | None:
    return re.fullmatch(pattern, found, re.ASCII) if isinstance(found, str) else None


def parse_duration(found: object) -> timedelta:
    """Return `"60s"` and the like as a timedelta.

    Raises:
        ValueError: it is not a duration.
    """
    match = _match(r"(\d{1,7}(?:\.\d{1,3})?)([smhd])", found)
    if match is None:
        raise ValueError(f"is not {DURATION}")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def render_duration(value: timedelta) -> str:
    """Return a duration in the largest unit of which it is several."""
    seconds = value.total_seconds()
    unit = next((unit for unit, size in reversed(_UNITS.items()) if seconds > size and not seconds % size), "s")
    return f"{seconds / _UNITS[unit]:.10g}{unit}"


def check_positive(value: timedelta) -> timedelta:
    """Return a duration that is not nothing.

    Raises:
        ValueError: it is nothing.
    """
    if not value:
        raise ValueError('is no time at all; it must be more than "0s"')
    return value


def check_names(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return sinks of which each has a name of its own.

    Raises:
        ValueError: two have the same.
    """
    names = [one.key for one in values]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"has two called {quoted(name)}; give each a name of its own, like name = {quoted('second')}"
            )
    return values


def check_some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a list that is not empty.

    Raises:
        ValueError: it is empty.
    """
    if not values:
        raise ValueError("is empty; leave the key out for the default, or name one")
    return values


def parse_share(found: object) -> float:
    """Return `"10%"` as 0.10.

    Raises:
        ValueError: it is not a percentage, or more than all.
    """
    match = _match(r"(\d{1,3}(?:\.\d{1,4})?)%", found)
    if match is None or float(match[1]) > 100:
        raise ValueError(f"is not {SHARE}")
    return float(match[1]) / 100


def parse_size(found: object) -> int:
    """Return `"4GiB"` as bytes.

    Raises:
        ValueError: it is not a size, or it is nothing.
    """
    match = _match(r"([1-9]\d{0,11})(B|[KMGT]iB)", found)
    if match is None:
        raise ValueError(f"is not {SIZE}")
    return int(match[1]) * _SIZES[match[2]]


def render_size(value: int) -> str:
    """Return bytes in the largest whole unit."""
    unit = next(unit for unit, size in reversed(_SIZES.items()) if not value % size)
    return f"{value // _SIZES[unit]}{unit}"


def parse_address(found: object) -> Address:
    """Return `"127.0.0.1:2222"` as host and port.

    Raises:
        ValueError: it is not an address and a port.
    """
    match = _match(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", found)
    if match is None or not int(match[3]) < 1 << 16:
        raise ValueError(f"is not {ADDRESS}")
    return Address(match[1] or match[2], int(match[3]))


def render_address(value: Address) -> str:
    """Return host and port as one writes them."""
    return f"[{value.host}]:{value.port}" if ":" in value.host else f"{value.host}:{value.port}"


def parse_time(found: object) -> time:
    """Return `"02:00"`, or TOML's own 02:00:00, as a time of day.

    Raises:
        ValueError: it is not a time of day.
    """
    if isinstance(found, time):
        return found
    match = _match(r"([01]\d|2[0-3]):([0-5]\d)", found)
    if match is None:
        raise ValueError(f"is not {TIME}")
    return time(int(match[1]), int(match[2]))


def parse_zone(found: object) -> ZoneInfo:
    """Return the time zone of that name.

    Raises:
        ValueError: no time zone is called so.
    """
    try:
        return ZoneInfo(str(found))
    except (OSError, ValueError, LookupError) as error:
        raise ValueError(f"is not {ZONE}{hint(found, available_timezones())}") from error


def parse_table(found: object) -> str:
    """Return the name of a OneRoster table.

    Raises:
        ValueError: no table is called so.
    """
    if not isinstance(found, str) or found not in TABLES:
        raise ValueError(f"is not a table of OneRoster; the tables are: {listed(TABLES)}{hint(found, TABLES)}")
    return found


def parse_version(found: object) -> str:
    """Return a version of OneRoster that is read.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(found, str) or found not in VERSIONS:
        raise ValueError(f"is not a version of OneRoster that is read; those are: {listed(VERSIONS)}")
    return found


def parse_country(found: object) -> str:
    """Return a country whose telephone numbers are known.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(found, str) or found not in SUPPORTED_REGIONS:
        raise ValueError(f"is not {COUNTRY}")
    return found


def parse_fingerprint(found: object) -> str:
    """Return the SHA-256 fingerprint of a host key as OpenSSH writes it.

    Raises:
        ValueError: it is not one.
    """
    if _match(r"SHA256:[A-Za-z0-9+/]{43}", found) is None:
        raise ValueError(f"is not {FINGERPRINT}")
    return str(found)


def parse_file_name(found: object) -> str:
    """Return a name that leads to no other folder, and is not hidden.

    Raises:
        ValueError: it is not one.
    """
    if _match(r"[^./\\\0-\x1f][^/\\\0-\x1f]{0,199}", found) is None:
        raise ValueError(f"is not {FILE_NAME}")
    return str(found)


def parse_sink_kind(found: object) -> str:
    """Return the kind of a sink that is installed.

    Raises:
        ValueError: no installed sink is called so.
    """
    known = sorted(entry_points(group="ingestd.sinks.v1").names)
    if not isinstance(found, str) or found not in known:
        raise ValueError(f"is not a kind of sink; installed are: {listed(known)}{hint(found, known)}")
    return found


def parse_strict(found: object) -> bool | tuple[str, ...]:
    """Return whether all that is switchable is refused, nothing of it, or which codes (law 8).

    Raises:
        ValueError: it is neither, or names a finding that strictness does not make graver.
    """
    if isinstance(found, bool):
        return found
    switchable = [code for code, entry in CATALOGUE.items() if entry.switchable]
    codes = found if isinstance(found, list) else None
    if codes is None:
        raise ValueError(f"is not {STRICT}")
    if wrong := [code for code in codes if code not in switchable]:
        raise ValueError(f"holds {quoted(wrong[0])}, which is not a switchable code{hint(wrong[0], switchable)}")
    return tuple(codes)


def parse_reference(found: object, info: ValidationInfo) -> str:
    """Return a reference to a secret; a relative `file:` is made absolute, under the state folder.

    Raises:
        PydanticCustomError: it is not a reference. What was found may be the secret itself, so it is not said.
    """
    match = _match(r"(credential|env|file):(\S.*)", found)
    if match is None:
        raise PydanticCustomError("secret", f"must be {REFERENCE}; {_NEVER}")
    return f"file:{places_of(info).state_dir / match[2]}" if match[1] == "file" else match[0]


def parse_sink_url(found: object, info: ValidationInfo) -> str:
    """Return the URL of a webhook, or the reference to a URL that is a secret.

    Raises:
        PydanticCustomError: it is neither. What was found may have a password in it, so it is not said.
    """
    if not (isinstance(found, str) and found.startswith("http")):
        return parse_reference(found, info)
    try:
        return check_url(found)
    except ValueError as error:
        raise PydanticCustomError("secret", "{why}", {"why": str(error)}) from None


def check_options(options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Return a sink's own settings, in which whatever is named like a secret is a reference.

    Raises:
        PydanticCustomError: a secret stands there itself.
    """
    secrets = {key: value for key, value in options.items() if _SECRET_KEY.search(key)}
    try:
        return options | {key: parse_reference(value, info) for key, value in secrets.items()}
    except PydanticCustomError as error:
        raise PydanticCustomError("secret", "{keys} " + error.message_template, {"keys": listed(secrets)}) from None


def _render_strict(value: bool | tuple[str, ...]) -> str:
    return str(value).lower() if isinstance(value, bool) else str(list(value))


def _quoted(render: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: quoted(render(value))


_DURATION = Written(DURATION, _quoted(render_duration))
Duration = Annotated[timedelta, PlainValidator(parse_duration), _DURATION]
PositiveDuration = Annotated[timedelta, PlainValidator(parse_duration), AfterValidator(check_positive), _DURATION]
Share = Annotated[float, PlainValidator(parse_share), Written(SHARE, lambda value: f'"{value * 100:g}%"')]
Size = Annotated[int, PlainValidator(parse_size), Written(SIZE, _quoted(render_size))]
Listen = Annotated[Address, PlainValidator(parse_address), Written(ADDRESS, _quoted(render_address))]
TimeOfDay = Annotated[time, PlainValidator(parse_time), Written(TIME, lambda value: f'"{value:%H:%M}"')]
Zone = Annotated[ZoneInfo, PlainValidator(parse_zone), Written(ZONE, quoted)]
TableName = Annotated[str, PlainValidator(parse_table), Written("a table of OneRoster", quoted)]
Version = Annotated[str, PlainValidator(parse_version), Written("a version of OneRoster", quoted)]
Country = Annotated[str, PlainValidator(parse_country), Written(COUNTRY, quoted)]
Fingerprint = Annotated[str, PlainValidator(parse_fingerprint), Written(FINGERPRINT, quoted)]
FileName = Annotated[str, PlainValidator(parse_file_name), Written(FILE_NAME, quoted)]
SinkKind = Annotated[str, PlainValidator(parse_sink_kind), Written("the kind of an installed sink", quoted)]
Strict = Annotated[bool | tuple[str, ...], PlainValidator(parse_strict), Written(STRICT, _render_strict)]
Secret = Annotated[str, PlainValidator(parse_reference), Written(REFERENCE, quoted)]
SinkUrl = Annotated[str, PlainValidator(parse_sink_url), Written(f"a URL, or {REFERENCE}", quoted)]
Options = Annotated[dict[str, Any], AfterValidator(check_options), Written("a table", str)]
Flag = Annotated[StrictBool, Written("true or false", lambda value: str(value).lower())]
Count = Annotated[StrictInt, Written("a whole number", str)]
