"""References to secrets, resolved: `credential:NAME` (systemd), `env:NAME`, `file:PATH`.

Law: a fault names the reference and what to do, never the value. Nothing is kept: resolve when needed.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from ingestd.errors import ConfigError


def resolve(reference: str, *, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret that a reference points to; a file's last line end is not part of it.

    Raises:
        ConfigError: the reference is of no known form, or there is no such secret, or it is empty.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "credential" if name:
            secret = _read_credential(name, environ)
        case "env" if name:
            secret = _read_variable(name, environ)
        case "file" if name:
            secret = _read_file(Path(name), reference)
        case _:
            # It may be the secret itself, so it is not repeated.
            raise ConfigError(['a secret is given as "credential:NAME", "env:NAME" or "file:PATH"'])
    if not secret:
        raise ConfigError([f"{reference}: the secret is empty"])
    return secret


def _read_credential(name: str, environ: Mapping[str, str]) -> str:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            [f"credential:{name}: $CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential={name}:/PATH"]
        )
    if name in {".", ".."} or "/" in name:
        raise ConfigError([f"credential:{name}: a credential has a plain name; for a path, write file:PATH"])
    return _read_file(Path(folder, name), f"credential:{name}")


def _read_variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ConfigError([f"env:{name}: the environment has no variable {name}"])
    return environ[name]


def _read_file(path: Path, reference: str) -> str:
    if not path.is_absolute():
        raise ConfigError([f"{reference}: the path must be absolute"])
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ConfigError([f"{reference}: {path} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{reference}: {path} is not text"]) from None
