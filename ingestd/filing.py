"""Where a feed's drops, runs and reports lie. Each move is a rename on one file system; nothing is deleted (law 10)."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ingestd import reports
from ingestd.core.model import Batch
from ingestd.core.state import WAITING, State
from ingestd.files import sync_folder

_ARCHIVED = frozenset({State.APPLIED, State.DUPLICATE, State.DISCARDED, State.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Filing:
    """The folders of one feed below `state_dir`."""

    state_dir: Path
    feed: str

    @property
    def stores(self) -> Path:
        """Return the folder of the feeds' stores."""
        return self.state_dir / "feeds"

    @property
    def results(self) -> Path:
        """Return the folder in which the vendor finds receipts."""
        return self.state_dir / "results" / self.feed

    def prepare(self) -> None:
        """Make the folders that every run needs, and the one of the inboxes, readable by their owner alone."""
        for folder in (self.state_dir / "runs", self.state_dir / "inbox", self.stores, self.results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def spool(self, number: int) -> Path:
        """Return a new folder for a drop that is being claimed; what an earlier claim left there is gone."""
        folder = self.state_dir / "runs" / f".claim-{self.feed}.{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def running(self, run: str) -> Path:
        """Return the folder of a run that is not at its end."""
        return self.state_dir / "runs" / run

    def begin(self, spool: Path, run: str) -> None:
        """Make a claimed drop a run's: one rename, durable."""
        spool.rename(self.running(run))
        sync_folder(self.state_dir / "runs")

    def package(self, run: str, drop: str | None) -> Path | None:
        """Return the run's zip, or None if it has none here."""
        path = self.running(run) / drop if drop else None
        return path if path and path.exists() else None

    def cut_short(self) -> Iterator[Path]:
        """Yield folders of claims that a crash cut short; their drops still lie in the inbox."""
        return (self.state_dir / "runs").glob(f".claim-{self.feed}.*")

    def strangers(self, known: Sequence[str]) -> Iterator[Path]:
        """Yield folders of runs that the store does not know."""
        for folder in (self.state_dir / "runs").glob(f"{self.feed}.*"):
            if folder.name.rpartition(".")[0] == self.feed and folder.name not in known:
                yield folder

    def set_aside(self, folder: Path) -> None:
        """Move the folder of a run to quarantine."""
        self._move(folder, self.state_dir / "quarantine" / self.feed / folder.name)

    def list_findings(self, run: str, batches: Sequence[Batch]) -> None:
        """Write all findings beside the zip; the rest of the report follows when the run comes to a state."""
        reports.write_findings(self.running(run) / "findings.csv", batches)

    def report(self, document: Mapping[str, Any], batches: Sequence[Batch] | None) -> None:
        """Write the reports beside the zip, and the vendor's receipt."""
        folder = self.running(str(document["run"]))
        if folder.exists():
            reports.write(folder, document, batches)
        if document.get("drop"):
            reports.write_receipt(self.results, document)

    def file(self, run: str, state: State, at: datetime) -> None:
        """Move a run that is at its end to the archive or to quarantine, if it is not there already."""
        folder = self.running(run)
        if not folder.exists():
            return
        if state in _ARCHIVED:
            target = self.state_dir / "archive" / self.feed / f"{at:%Y-%m-%d}" / run
        else:
            target = self.state_dir / "quarantine" / self.feed / run
        self._move(folder, target)

    def is_untold(self, run: str, state: State) -> bool:
        """Return whether a kill came between a run's state and its report, or its move to where ended runs lie."""
        folder = self.running(run)
        return folder.exists() and (state not in WAITING or not (folder / "report.html").exists())

    def find(self, run: str) -> Path | None:
        """Return the folder of a run, wherever it lies."""
        places = [self.running(run), self.state_dir / "quarantine" / self.feed / run]
        places += (self.state_dir / "archive" / self.feed).glob(f"*/{run}")
        return next((place for place in places if place.exists()), None)

    def _move(self, folder: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.rename(target)
        sync_folder(target.parent)
        sync_folder(folder.parent)
