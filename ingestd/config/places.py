"""Where things named in the configuration lie: beside it, under the state folder, or shipped with ingestd."""

import re
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from ingestd.config.words import Written, hint, listed, quoted

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""How a feed, a rules file and a sis file may be named."""


def shipped_folder() -> Path:
    """Return the folder of the configuration that travels with the code: in a wheel, or in a source checkout."""
    package = Path(str(files("ingestd")))
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "config"


def shipped(kind: str, name: str) -> Path:
    """Return where the shipped file `name` of a kind (`feeds`, `rules`, `sis`) lies; it need not exist."""
    return shipped_folder() / kind / f"{name}.toml"


@dataclass(frozen=True, slots=True)
class Places:
    """What relative words in the files are relative to. Given to the models as pydantic's context."""

    folder: Path = Path()
    state_dir: Path = Path()

    def find(self, kind: str, name: str) -> Path:
        """Return the file of a kind: the one beside the configuration, else the shipped one; it need not exist."""
        own = self.folder / kind / f"{name}.toml"
        return own if own.is_file() else shipped(kind, name)

    def names(self, kind: str) -> list[str]:
        """Return the names of all files of a kind."""
        folders = (self.folder / kind, shipped_folder() / kind)
        return sorted({file.stem for folder in folders for file in folder.glob("*.toml")})


def places_of(info: ValidationInfo) -> Places:
    """Return the context's places; without a context, relative paths stay as they are."""
    return info.context if isinstance(info.context, Places) else Places()


def parse_path(base: str, found: object, info: ValidationInfo) -> Path:
    """Return a path; a relative one is relative to `base`, `folder` or `state_dir` of the places.

    Raises:
        ValueError: it is not a path.
    """
    if not isinstance(found, str) or not found.strip() or "\0" in found:
        raise ValueError("is not a path")
    under: Path = getattr(places_of(info), base)
    return under / found


def parse_name_of(kind: str, found: object, info: ValidationInfo) -> Path:
    """Return the path of the rules or sis file of that name (DESIGN section 8).

    Raises:
        ValueError: there is none, neither beside the configuration nor shipped.
    """
    places = places_of(info)
    if not isinstance(found, str) or not NAME.fullmatch(found) or not places.find(kind, found).is_file():
        there = places.names(kind)
        raise ValueError(
            f"is not the name of a file in {kind}/; there are: {listed(there) or 'none'}{hint(found, there)}"
        )
    return places.find(kind, found)


StatePath = Annotated[Path, PlainValidator(partial(parse_path, "state_dir")), Written("a path", quoted)]
FolderPath = Annotated[Path, PlainValidator(partial(parse_path, "folder")), Written("a path", quoted)]
RulesFile = Annotated[
    Path,
    PlainValidator(partial(parse_name_of, "rules")),
    Written("the name of a file in rules/", lambda path: quoted(path.stem)),
]
SisFile = Annotated[
    Path,
    PlainValidator(partial(parse_name_of, "sis")),
    Written("the name of a file in sis/", lambda path: quoted(path.stem)),
]
