"""`ingestd init DIR`: a commented configuration that runs as it is, and the folders that it needs.

Law: nothing that exists is touched. State is for its owner alone, for it holds children's data.
"""

from pathlib import Path

from ingestd.config import shipped, shipped_folder
from ingestd.errors import ConfigError

FEED = "example"
"""What the first feed is called until its file is renamed."""
PARTS = ("inbox", f"inbox/{FEED}", "runs", "archive", "quarantine", "results")
"""The folders under `var`."""


def init(folder: Path) -> tuple[Path, ...]:
    """Write a configuration with one feed into `folder`, make its folders, and return all that was made.

    Raises:
        ConfigError: something that would be made exists already; each is named, and nothing is written.
        OSError: the disk does not let it.
    """
    texts = {folder / "ingestd.toml": _read(shipped_folder() / "ingestd.toml"), folder / f"feeds/{FEED}.toml": _feed()}
    private = (folder / "var", *(folder / "var" / part for part in PARTS))
    made = (*texts, *private)
    there = [path for path in made if path.exists() or path.is_symlink()]
    if there:
        raise ConfigError([f"{path}: is there already; nothing was written" for path in there])
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    for path in private:
        path.mkdir(mode=0o700)
    return made


def _feed() -> str:
    text = _read(shipped("feeds", "springfield"))
    return text.replace("Springfield SD", "Example district").replace("springfield", FEED)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
