"""An outbox: the actions of each run as JSON Lines and as CSVs, for any script to consume in their order.

The index names a run when its files are there, whole and durable. What it does not name does not count: a kill came
before, and the same plan takes its place. `changeset.schema.json` beside this says what the lines are like.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ingestd import files
from ingestd.core.changes import about_targets, names_of, render_actions
from ingestd.core.dialect import Dialect, render_table
from ingestd.core.model import Outcome, Plan
from ingestd.core.rules import Rules
from ingestd.errors import ConfigError, SinkError
from ingestd.sinks.base import Progress

INDEX = "_index.jsonl"
SCHEMA = 1
"""The version of what is written, as `changeset.schema.json` has it."""
_MODE = 0o600


class ChangesetSink:
    """Keeps `NAME.jsonl` and the folder `NAME` of CSVs for each plan that has actions, and `_index.jsonl` of them all.

    NAME is the run; a second plan of the same run has a number behind it.
    """

    transactional = True

    def __init__(self, path: Path, dialect: Dialect = Dialect.STANDARD) -> None:
        """`dialect`: that of the CSVs."""
        self._path = path
        self._dialect = dialect

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path, rules: Rules) -> Self:
        """Read `path`, relative to `folder`.

        Raises:
            ConfigError: there is no path.
        """
        if not isinstance(settings.get("path"), (str, Path)):
            raise ConfigError(['sinks.path: a changeset sink needs path = "FOLDER"'])
        return cls(folder / settings["path"], rules.csv.dialect)

    def apply(self, plan: Plan, *, once: str, run: str, at: str, progress: Progress) -> Sequence[Outcome]:
        """Write a plan down, unless that is done; of a plan of nothing there is nothing to write."""
        try:
            if len(plan):
                self._keep(plan, once, run, at)
        except OSError as error:
            raise SinkError(f"the changeset sink failed: {error.strerror}") from None
        for group in plan.actions:
            progress(len(group))
        return tuple(Outcome(group.target, group.kind, len(group)) for group in plan.actions)

    def close(self) -> None:
        """Nothing is open."""

    def _keep(self, plan: Plan, once: str, run: str, at: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.make_private(self._path)
        entries = self._entries()
        if any((one["once"], one["digest"]) == (once, plan.digest) for one in entries):
            return
        name = _free_name(run, {one["name"] for one in entries})
        sha256 = self._write_lines(name, plan, run, at)
        self._write_csvs(name, plan)
        files.sync_folder(self._path)
        about = {"run": run, "at": at, "once": once, "digest": plan.digest, "name": name, "sha256": sha256}
        self._append({"schema": SCHEMA, **about, "actions": len(plan), "targets": about_targets(plan)})

    def _write_lines(self, name: str, plan: Plan, run: str, at: str) -> str:
        """Write all actions; return the SHA-256 of the file."""
        aside, seen = self._path / f".{name}.jsonl.part", hashlib.sha256()
        with files.writing(aside, mode=_MODE) as file:
            for group in plan.actions:
                for part in render_actions(group, run, at):
                    seen.update(part)
                    file.write(part)
        aside.replace(self._path / f"{name}.jsonl")
        return seen.hexdigest()

    def _write_csvs(self, name: str, plan: Plan) -> None:
        aside, folder = self._path / f".{name}.part", self._path / name
        for left in (aside, folder):  # by a kill
            if left.exists():
                shutil.rmtree(left)
        aside.mkdir(mode=0o700)
        for group, csv in zip(plan.actions, names_of(plan), strict=True):
            with files.writing(aside / csv, mode=_MODE) as file:
                file.write(render_table(group.frame, self._dialect))
        files.sync_folder(aside)
        aside.rename(folder)

    # The index -----------------------------------------------------------------------------------------------

    def _entries(self) -> list[dict[str, Any]]:
        """Return the lines of the index. The last one, if a kill cut it off, is none."""
        index = self._path / INDEX
        lines = index.read_bytes().split(b"\n")[:-1] if index.exists() else []
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            raise SinkError(f"the changeset sink failed: {INDEX} is damaged") from None

    def _append(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the index, durably; what a kill or a full disk cut off before gives way to it."""
        line = f"{json.dumps(entry, ensure_ascii=False)}\n".encode()
        handle = os.open(self._path / INDEX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
            end = file.seek(0, os.SEEK_END)
            try:
                file.write(line)
                file.flush()
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        files.sync_folder(self._path)


def _free_name(run: str, taken: set[str]) -> str:
    number, name = 1, run
    while name in taken:
        number += 1
        name = f"{run}-{number}"
    return name
