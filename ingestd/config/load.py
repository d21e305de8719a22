"""Files to a `Config`: finds the file, reads it and its feeds, and reports every fault of every file at once.

Law: nothing is written and nothing is looked at but the configuration itself; an inbox that lacks is no fault here.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError

from ingestd.config.base import Settings
from ingestd.config.faults import list_faults
from ingestd.config.models import Config, Feed, FolderSource, Main, SftpSource
from ingestd.config.places import NAME, Places
from ingestd.config.sinks import Sink
from ingestd.config.sis import Sis
from ingestd.errors import ConfigError

STANDARD = (Path("/etc/ingestd/ingestd.toml"), Path("config/ingestd.toml"))
"""Where the configuration is looked for when nobody says where it is (DESIGN section 7)."""

_Model = TypeVar("_Model", bound=Settings)
_Result = TypeVar("_Result")
_Args = ParamSpec("_Args")


def find(
    explicit: Path | None, *, environ: Mapping[str, str] = os.environ, standard: Sequence[Path] = STANDARD
) -> Path:
    """Return the configuration file: `explicit`, else `$INGESTD_CONFIG`, else the first standard place that has one.

    A place that was named is not passed over: a typing error must not start the daemon on another configuration.

    Raises:
        ConfigError: there is none; says where it was looked for.
    """
    named = explicit or (Path(environ["INGESTD_CONFIG"]) if environ.get("INGESTD_CONFIG") else None)
    tried = [named] if named else list(standard)
    for path in tried:
        if path.is_file():
            return path
    source = "" if explicit or not named else " ($INGESTD_CONFIG)"
    where = ", ".join(map(str, tried))
    raise ConfigError([f"no configuration found; looked for {where}{source}; `ingestd init DIR` writes one"])


def load(path: Path) -> Config:
    """Return the configuration in `path` and in the `feeds` folder beside it.

    Raises:
        ConfigError: it is wrong; a line per fault, of all files.
    """
    problems: list[str] = []
    folder = path.absolute().parent
    main = _collect(problems, _read, path, Main, Places(folder, folder))
    places = Places(folder, main.state_dir if main else folder / "var")
    read = {file: _collect(problems, _read_feed, file, places) for file in _feed_files(path.parent / "feeds")}
    feeds = {file: feed for file, feed in read.items() if feed}
    named = dict.fromkeys(feed.sis for feed in feeds.values() if feed.sis)
    systems = {file: _collect(problems, load_sis, file) for file in named}
    problems += [*_shared_inboxes(feeds), *_shared_targets(feeds)]
    if problems or main is None:
        raise ConfigError(problems)
    by_key = {feed.key: feed.of_sis(systems[feed.sis]) if feed.sis else feed for feed in feeds.values()}
    return Config.model_construct(**dict(main), path=path.absolute(), feeds=by_key)


def load_sis(file: Path) -> Sis:
    """Return what is particular to a student information system.

    Raises:
        ConfigError: its file is wrong; a line per fault.
    """
    return _read(file, Sis, Places())


def _collect(
    problems: list[str], step: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs
) -> _Result | None:
    try:
        return step(*args, **kwargs)
    except ConfigError as error:
        problems += error.problems
        return None


def _feed_files(folder: Path) -> list[Path]:
    """Return the feeds' files by name. Those that begin with a dot are an editor's own."""
    return sorted(file for file in folder.glob("*.toml") if not file.name.startswith("."))


def _read_feed(file: Path, places: Places) -> Feed:
    if not NAME.fullmatch(file.stem):
        raise ConfigError([f"{file}: a feed is named by its file, in a-z, 0-9, - and _, and begins with a-z or 0-9"])
    return _read(file, Feed, places, over=_of_rules(_parse(file), places), key=file.stem)


def _of_rules(raw: Mapping[str, Any], places: Places) -> Mapping[str, Any]:
    """Return what the rules of a feed say of feeds in their table `[feed]`; it holds unless the feed says otherwise.

    Raises:
        ConfigError: it is wrong.
    """
    name = raw.get("rules")
    file = places.find("rules", name) if isinstance(name, str) and NAME.fullmatch(name) else None
    given = _parse(file).get("feed", {}) if file and file.is_file() else {}
    if not isinstance(given, dict):
        raise ConfigError([f"{file}: feed: must be a table of a feed's settings"])
    error = None
    try:
        Feed.model_validate({**given, "key": "feed"}, context=places)
    except ValidationError as wrong:
        error = wrong
    if faults := list_faults(given, Feed, error):
        raise ConfigError([f"{file}: feed.{fault}" for fault in faults])
    return given


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables of which the second says more; what is no table in both is the second's."""
    both = {name: _merged(under[name], over[name]) for name in under if _are_tables(under[name], over.get(name))}
    return {**under, **over, **both}


def _are_tables(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)


def _read(
    file: Path, model: type[_Model], places: Places, *, over: Mapping[str, Any] = MappingProxyType({}), **given: str
) -> _Model:
    """Return one file as its model, `over` what it need not say; `given` are the fields that do not come from files."""
    raw = _merged(over, _parse(file))
    taken = [f"{name}: is not a setting; a feed is named by its file" for name in given if name in raw]
    error, value = None, None
    try:
        value = model.model_validate({**raw, **given}, context=places)
    except ValidationError as wrong:
        error = wrong
    faults = [*taken, *list_faults(raw, model, error)]
    if faults or value is None:
        raise ConfigError([f"{file}: {fault}" for fault in faults])
    return value


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: is not TOML: {error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: is not UTF-8, from byte {error.start} on"]) from error
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error


def _shared_inboxes(feeds: Mapping[Path, Feed]) -> Iterator[str]:
    """Yield a fault per inbox, here or on a server, that two sources would take drops from."""
    seen: dict[object, str] = {}
    for file, feed in feeds.items():
        for index, source in enumerate(feed.sources):
            first = seen.setdefault(_inbox(source), at := f"{file}: sources[{index}].path")
            if first != at:
                yield f"{at}: {source.path} is already the inbox of {first}"


def _inbox(source: FolderSource | SftpSource) -> object:
    if isinstance(source, FolderSource):
        return source.path.resolve()
    return (source.host, source.port, source.user, source.path)


def _shared_targets(feeds: Mapping[Path, Feed]) -> Iterator[str]:
    """Yield a fault per file or schema that the sinks of two feeds would write: their sourcedIds may be the same."""
    seen: dict[object, str] = {}
    for file, feed in feeds.items():
        for index, sink in enumerate(feed.sinks):
            key, place, told = _target(sink)
            at = f"{file}: sinks[{index}].{key}"
            if place and (first := seen.setdefault(place, at)) != at:
                yield f"{at}: {told} of {first}"


def _target(sink: Sink) -> tuple[str, object, str]:
    """Return which setting says where a sink writes, what it says, and what is wrong with two that say the same."""
    if sink.kind == "sql":
        return "url", (sink.url, sink.db_schema), f"{sink.url} with this schema is already the database"
    return "path", sink.path and sink.path.resolve(), f"{sink.path} is already the file"
