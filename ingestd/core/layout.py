"""Tells from names alone which files of a package are those of a roster.

Its law: a file is taken for one of the standard's only if there is no other that could be meant. One folder around
all of them, another case of a name and what the feed's SIS calls a file are repaired and recorded; what else the
standard does not name is never read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingestd.core.aliases import Aliases
from ingestd.core.findings import batch
from ingestd.core.manifest import FILE
from ingestd.core.model import Batch
from schemas import NAMES, VERSIONS

FILES = (FILE, *(f"{table}.csv" for table in NAMES[VERSIONS[-1]]))
"""The files that OneRoster names; the newest version has all those of its predecessors."""

_CANONICAL = {name.lower(): name for name in FILES}
_LITTER = {".ds_store", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which name of the package is which file: `files` maps the standard's names to those in the package.

    `names` are those of all files, the standard's where they are known. A catastrophic batch forbids to read any.
    """

    files: Mapping[str, str]
    names: tuple[str, ...]
    batches: tuple[Batch, ...]


def show(name: str) -> str:
    """Return a name as a message may carry it: short, and without characters that act on a terminal."""
    return (name if name.isprintable() else ascii(name)[1:-1])[:80]


def arrange(names: Iterable[str], aliases: Aliases = Aliases()) -> Layout:
    """Sort out the names of a package's members; those of folders end in `/`.

    What the sender calls otherwise is taken where the standard's own name is not there.
    """
    plain = [name for name in names if not name.endswith("/")]
    litter = [name for name in plain if _is_litter(name)]
    roster = [name for name in plain if not _is_litter(name)]
    folder = _enclosing(roster)
    bare = {name: name.removeprefix(folder) for name in roster}
    own = {_CANONICAL[short.lower()]: name for name, short in bare.items() if short.lower() in _CANONICAL}
    meant = _by_alias(bare, own, aliases)
    files = own | {file: found[0] for file, found in meant.items()}
    taken = {*own.values(), *(name for found in meant.values() for name in found)}
    others = [short for name, short in bare.items() if name not in taken]
    batches = (
        *([batch("enclosing-folder")] if folder else []),
        *_nested(bare.values()),
        *_doubled([name.removeprefix(folder) for name in roster]),
        *_recased(own, bare),
        *_renamed(meant, bare),
        *_ignored([*others, *litter]),
        *([] if files else _wrapped(others)),
    )
    return Layout(files, (*files, *map(show, others)), batches)


def _is_litter(name: str) -> bool:
    """Return whether a desktop left the file behind."""
    *folders, last = name.split("/")
    return "__MACOSX" in folders[:1] or last.startswith("._") or last.lower() in _LITTER


def _enclosing(names: Collection[str]) -> str:
    """Return the one folder in which all files lie, with its `/`; nothing if there is none."""
    folders = {name[: name.find("/") + 1] for name in names}
    return folders.pop() if len(folders) == 1 else ""


def _nested(names: Collection[str]) -> Iterator[Batch]:
    inside = sorted(show(name) for name in names if "/" in name)
    if inside:
        more = f" and {len(inside) - 3} more" if len(inside) > 3 else ""
        yield batch("unsafe-zip", detail=f"files lie in folders inside it: {', '.join(inside[:3])}{more}")


def _wrapped(names: Iterable[str]) -> Iterator[Batch]:
    """Find the zip that was meant, where somebody zipped it once more."""
    inner = sorted(name for name in names if name.lower().endswith(".zip"))
    if inner:
        yield batch("nested-zip", name=show(inner[0]))


def _doubled(names: Iterable[str]) -> Iterator[Batch]:
    """Find names that are there twice, or differ in case alone: no telling which one is meant."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    for group in groups.values():
        if len(group) > 1:
            yield batch("duplicate-file", name=" or ".join(sorted(map(show, set(group)))))


def _by_alias(bare: Mapping[str, str], own: Collection[str], aliases: Aliases) -> dict[str, list[str]]:
    """Return the names in the package that mean a file of the standard which is not there under its own name."""
    meant: dict[str, list[str]] = {}
    for name, short in bare.items():
        file = aliases.file(short)
        if file and file not in own and short.lower() not in _CANONICAL:
            meant.setdefault(file, []).append(name)
    return meant


def _renamed(meant: Mapping[str, Sequence[str]], bare: Mapping[str, str]) -> Iterator[Batch]:
    """Record what was read under another name; where several would be one file, none of them can be."""
    for expected, names in meant.items():
        shown = " or ".join(sorted({show(bare[name]) for name in names}))
        if len(names) > 1:
            yield batch("duplicate-file", name=shown)
        else:
            yield batch("file-alias", file=expected, name=shown, expected=expected)


def _recased(files: Mapping[str, str], bare: Mapping[str, str]) -> Iterator[Batch]:
    for expected, name in files.items():
        if bare[name] != expected:
            yield batch("file-name-case", file=expected, name=bare[name], expected=expected)


def _ignored(names: Iterable[str]) -> Iterator[Batch]:
    """Record what is not read; what macOS packs beside the files is one finding."""
    counts: dict[str, int] = {}
    for name in names:
        label = "__MACOSX" if name.startswith("__MACOSX/") else show(name)
        counts[label] = counts.get(label, 0) + 1
    for label, count in counts.items():
        yield batch("ignored-file", file=label, name=label, stands_for=count)
