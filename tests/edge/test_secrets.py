"""References to secrets: what they give, and faults that never show a value."""

from pathlib import Path

import pytest

from ingestd.errors import ConfigError
from ingestd.secrets import resolve


def test_credential_of_systemd(tmp_path: Path) -> None:
    """`credential:NAME` is the file NAME in $CREDENTIALS_DIRECTORY, without its last line end."""
    (tmp_path / "sis").write_text("hunter2\n", encoding="utf-8")

    assert resolve("credential:sis", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "hunter2"


def test_variable_of_the_environment() -> None:
    """`env:NAME` is the variable as it is."""
    assert resolve("env:SIS_KEY", environ={"SIS_KEY": "hunter2 "}) == "hunter2 "


def test_file_of_several_lines(tmp_path: Path) -> None:
    """`file:PATH` is the file; a key keeps its inner line ends."""
    (tmp_path / "key").write_bytes(b"BEGIN\nhunter2\nEND\r\n")

    assert resolve(f"file:{tmp_path}/key", environ={}) == "BEGIN\nhunter2\nEND"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("credential:sis", r"credential:sis: \$CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential"),
        ("env:SIS_KEY", "env:SIS_KEY: the environment has no variable SIS_KEY"),
        ("file:/nowhere/key", "file:/nowhere/key: /nowhere/key cannot be read: No such file or directory"),
        ("file:key", "file:key: the path must be absolute"),
    ],
)
def test_secret_that_is_not_there(reference: str, message: str) -> None:
    """The fault names the reference and the way out."""
    with pytest.raises(ConfigError, match=message):
        resolve(reference, environ={})


@pytest.mark.parametrize("name", ["../shadow", "/etc/shadow", "..", "."])
def test_credential_does_not_leave_its_folder(name: str, tmp_path: Path) -> None:
    """A credential is a plain name."""
    with pytest.raises(ConfigError, match="a credential has a plain name"):
        resolve(f"credential:{name}", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize("literal", ["hunter2", "vault:hunter2", "env:", ""])
def test_what_is_no_reference_is_not_repeated(literal: str) -> None:
    """It may be the secret itself."""
    with pytest.raises(ConfigError, match="a secret is given as") as caught:
        resolve(literal, environ={"": "x"})
    assert "hunter2" not in str(caught.value)


def test_empty_secret(tmp_path: Path) -> None:
    """A secret that is empty is a fault before it is a login without a password."""
    with pytest.raises(ConfigError, match="env:SIS_KEY: the secret is empty"):
        resolve("env:SIS_KEY", environ={"SIS_KEY": ""})


def test_bytes_that_are_not_text_are_not_shown(tmp_path: Path) -> None:
    """A fault of decoding would carry the bytes, so it is replaced."""
    (tmp_path / "key").write_bytes(b"hunter2\xff")

    with pytest.raises(ConfigError, match="is not text") as caught:
        resolve(f"file:{tmp_path}/key", environ={})
    assert caught.value.__cause__ is None
    assert "hunter2" not in str(caught.value)
