"""What the doctor says of applications, with real ones on loopback; nothing is changed there, and nothing is sent."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.test_webhook_faults import certificate
from places import FEED, place
from postgres_world import Postgres
from receiver import SECRET, Receiver, receiving

from ingestd.config import load as load_config
from ingestd.doctor.applications import look_at_applications
from ingestd.doctor.check import Check, State

HOOK = '[[sinks]]\nkind = "webhook"\nurl = "{url}"\nsecret = "env:HOOK"\npath = "hook.db"\n'
SQL = '[[sinks]]\nkind = "sql"\nurl = "env:DATABASE"\n'
OTHERS = '[[sinks]]\nkind = "sqlite"\npath = "roster.db"\n[[sinks]]\nkind = "changeset"\npath = "outbox"\n'


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", SECRET)


def looked_at(folder: Path, sinks: str) -> list[Check]:
    """Return what is said of the applications of a feed with these sinks."""
    where = place(folder, more=sinks)
    config = load_config(where.config)
    found = list(look_at_applications(config.feeds[FEED], config.state_dir))
    assert not where.state.exists(), "nothing is made on this machine either"
    return found


def behind_tls(receiver: Receiver, shown: Path) -> str:
    """Have the application listen behind TLS, and return its URL."""
    assert receiver._server is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
    receiver.listen()
    return receiver.url.replace("http:", "https:")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run an application, which nobody may send anything."""
    with receiving(listening=False) as found:
        yield found
        assert (found.requests, found.odd) == ([], [])


def test_an_application_that_is_there_is_told(receiver: Receiver, tmp_path: Path) -> None:
    """Within this machine by http."""
    receiver.listen()
    (check,) = looked_at(tmp_path, HOOK.replace("{url}", receiver.url))
    assert (check.state, check.found) == (State.OK, f"{FEED}'s sink webhook gets through to it")


def test_one_that_is_not_there_is_a_fault(receiver: Receiver, tmp_path: Path) -> None:
    """Its connections are refused."""
    (check,) = looked_at(tmp_path, HOOK.replace("{url}", receiver.url))
    assert check.state is State.FAULT
    assert "it cannot be reached" in check.found


@pytest.mark.parametrize("is_trusted", [True, False])
def test_one_is_held_to_its_certificate(receiver: Receiver, tmp_path: Path, is_trusted: bool) -> None:
    """To those that the sink trusts."""
    shown = certificate(tmp_path / "shown", "127.0.0.1")
    trusted = shown if is_trusted else certificate(tmp_path / "other", "127.0.0.1")
    url = behind_tls(receiver, shown)
    (check,) = looked_at(tmp_path / "place", HOOK.replace("{url}", url) + f'ca = "{trusted}"\n')
    assert check.state is (State.OK if is_trusted else State.FAULT)
    assert is_trusted or "certificate" in check.found


@pytest.mark.parametrize(("secret", "told"), [("none", "a webhook's secret is whsec_"), ("", "env:HOOK")])
def test_a_secret_that_cannot_sign_is_a_fault(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, told: str
) -> None:
    """Told by its reference, never by itself."""
    monkeypatch.setenv("HOOK", secret)
    receiver.listen()
    (check,) = looked_at(tmp_path, HOOK.replace("{url}", receiver.url))
    assert check.state is State.FAULT
    assert told in check.found
    assert "none" not in check.found


def test_a_database_lets_us_in_or_not(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps us out is told without the URL."""
    url = postgres.database().url
    monkeypatch.setenv("DATABASE", url)
    (check,) = looked_at(tmp_path / "right", SQL)
    assert check.state is State.OK
    monkeypatch.setenv("DATABASE", url.replace("://ingestd@", "://nobody@"))
    (check,) = looked_at(tmp_path / "wrong", SQL)
    assert check.state is State.FAULT
    assert "nobody" not in check.found


def test_sinks_of_this_machine_have_nobody_to_ask(tmp_path: Path) -> None:
    """Files and folders are looked at as such."""
    assert looked_at(tmp_path, OTHERS) == []
