"""Reads a file of pins: a CSV of `target,key,field`, checked against the rules, all faults at once."""

import csv
from collections.abc import Iterator, Mapping

from ingestd.core.mapping import KEY_JOIN
from ingestd.core.pins import Pins
from ingestd.core.rules import METADATA, Rules, Target
from ingestd.core.toml import not_one_of
from schemas import Shape

HEADER = ["target", "key", "field"]


def parse_pins(text: str, rules: Rules, tables: Mapping[str, Shape]) -> tuple[Pins, tuple[str, ...]]:
    """Read a file of pins, a pin a line.

    `key` is the record's key as the rules make it. If it has several fields they are joined by commas, as CSV has them:
    one that has a comma itself, or a blank in front, is in quotes. A blank `field` pins the whole record.

    Args:
        text: the file's.
        rules: the target tables that there are.
        tables: the tables of the standard, for target tables that take their columns as they are.

    Returns:
        The pins, and the faults, each as `line N: what is wrong; what to do`. With faults the pins are not to be used.
    """
    targets = {target.name: target for target in rules.targets}
    found: dict[str, dict[str, set[str]]] = {}
    faults: list[str] = []
    for line, cells in _lines(text, faults):
        target = targets.get(cells[0])
        if fault := _fault(cells, target, targets, tables):
            faults.append(f"line {line}: {fault}")
        elif target:
            key = KEY_JOIN.join(_key(cells[1], target))
            found.setdefault(target.name, {}).setdefault(key, set()).add(cells[2])
    pins = {name: {key: _fields(names) for key, names in keys.items()} for name, keys in found.items()}
    return Pins(pins), tuple(faults)


def _lines(text: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that have three cells, each with its number; the header and blank lines are passed over."""
    reader = csv.reader((f"{line}\n" for line in text.removesuffix("\n").split("\n")), strict=True)
    try:
        if next(reader, None) != HEADER:
            faults.append(f"line 1: is not the header; write {','.join(HEADER)}")
            return
        for cells in reader:
            if cells and len(cells) != len(HEADER):
                how = "; a blank field pins the whole record, a key with a comma is in quotes"
                faults.append(f"line {reader.line_num}: has {len(cells)} cells, not {len(HEADER)}{how}")
            elif cells:
                yield reader.line_num, cells
    except csv.Error:
        faults.append(f"line {reader.line_num}: is not CSV; close its quotes, and double those that are meant")


def _fault(
    cells: list[str], target: Target | None, targets: Mapping[str, Target], tables: Mapping[str, Shape]
) -> str | None:
    """Return what is wrong with a line, if anything is; never its key."""
    name, key, field = cells
    if target is None:
        return f"target {not_one_of(name, targets)}"
    if not key.strip():
        return f"the key is missing; write that of a record of {name}"
    if len(_key(key, target)) != len(target.key):
        return f"the key of {name} is {len(target.key)} fields, {', '.join(target.key)}; join them by commas, in quotes"
    if field in target.key:
        return f"{field} is of the key, which never changes; leave the field blank to pin the whole record"
    known = tuple(target.fields) if target.fields is not None else tables[target.source].header
    is_open = target.fields is None and field.startswith(METADATA)
    return f"field {not_one_of(field, known)}" if field and field not in known and not is_open else None


def _key(cell: str, target: Target) -> list[str]:
    if len(target.key) == 1:
        return [cell]
    return next(csv.reader([cell], skipinitialspace=True))


def _fields(names: set[str]) -> tuple[str, ...]:
    return () if "" in names else tuple(sorted(names))
