"""Who has not proved who he is gets nothing, and who has gets SFTP and nothing else.

CVE-2018-7750: paramiko's server answered requests for channels before any authentication. CVE-2018-1000805: it took
the server's own messages from a client, "you are in" among them.
"""

from collections.abc import Callable

import paramiko
import pytest
from hostile_clients import ATTRS, DEADLINE, STAT, logged_in, met, subsystem, text
from hostile_world import OTHERS, US, World
from paramiko.message import Message

STRANGER = paramiko.ECDSAKey.generate()


def message(kind: int, *fields: str | int | bool | bytes) -> Message:
    """Return an SSH message."""
    made = Message()
    made.add_byte(bytes([kind]))
    for field in fields:
        if isinstance(field, bool):
            made.add_boolean(field)
        elif isinstance(field, int):
            made.add_int(field)
        else:
            made.add_string(field)
    return made


def gets_no_sftp(transport: paramiko.Transport) -> bool:
    """Return whether a session can open no channel with SFTP on it; it waits for either for `DEADLINE`."""
    transport.channel_timeout = DEADLINE
    try:
        subsystem(transport)
    except (paramiko.SSHException, OSError, EOFError):
        return True
    return False


OPENING = message(90, "session", 0, 1 << 20, 1 << 15)
SFTP = message(98, 0, "subsystem", True, "sftp")
EARLY: dict[str, tuple[Message, ...]] = {
    "a channel (CVE-2018-7750)": (OPENING,),
    "a channel and SFTP on it": (OPENING, SFTP),
    "SFTP on no channel": (SFTP,),
    "data on no channel": (message(94, 0, b"\0\0\0\5\1\0\0\0\3"),),
    "a connection onwards": (message(90, "direct-tcpip", 0, 1 << 20, 1 << 15, "127.0.0.1", 22, "127.0.0.1", 22),),
    "a forwarding": (message(80, "tcpip-forward", True, "127.0.0.1", 0),),
    "the service after authentication": (message(5, "ssh-connection"), OPENING),
    "'you are in' (CVE-2018-1000805)": (message(52), OPENING, SFTP),
    "'you are out'": (message(51, "publickey", False), OPENING),
    "'this key will do'": (message(60, "ssh-ed25519", b"key"), OPENING),
    "answers that nobody asked for": (message(5, "ssh-userauth"), message(61, 1, "yes"), OPENING),
}


@pytest.mark.parametrize("name", EARLY)
def test_nothing_is_had_before_authentication(guarded: World, name: str) -> None:
    """Whatever a client says after the keys are exchanged, it has no channel, and is not authenticated."""
    with met(guarded.address()) as transport:
        for one in EARLY[name]:
            transport._send_message(one)  # type: ignore[attr-defined]
        assert gets_no_sftp(transport)


NAMES = {
    "an unknown one": "nobody",
    "none": "",
    "above the accounts": "../accounts/springfield",
    "a path": "/etc/passwd",
    "a file's name": "springfield.toml",
    "a zero byte": "springfield\0",
    "other letters": "SPRINGFIELD",
    "a blank behind it": "springfield ",
    "very long": "s" * 30_000,
    "a pattern": "*",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_account_is_refused(guarded: World, name: str) -> None:
    """With the key that each account here has."""
    assert is_refused(guarded, lambda transport: transport.auth_publickey(NAMES[name], guarded.key))


def test_a_stranger_is_refused(guarded: World) -> None:
    """Without proof, with a key that is not the account's, and with a password where only keys are taken."""
    assert is_refused(guarded, lambda transport: transport.auth_none(US))
    assert is_refused(guarded, lambda transport: transport.auth_publickey(US, STRANGER))
    assert is_refused(guarded, lambda transport: transport.auth_password(US, "password"))
    assert is_refused(guarded, lambda transport: transport.auth_interactive(US, lambda *_: ["password"]))


def test_only_keys_are_offered(guarded: World) -> None:
    """To an account that has no password, and to one that is not there, so that neither can be told from the other."""
    offered = []
    for name in (US, "nobody"):
        with met(guarded.address()) as transport, pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_none(name)
        offered.append(refused.value.allowed_types)
    assert offered == [["publickey"], ["publickey"]]


def is_refused(world: World, attempt: Callable[[paramiko.Transport], object]) -> bool:
    """Return whether an attempt to log in fails, and leaves the client without SFTP."""
    with met(world.address()) as transport:
        try:
            attempt(transport)
        except (paramiko.SSHException, EOFError):
            return not transport.is_authenticated() and gets_no_sftp(transport)
    return False


class Impostor(paramiko.ECDSAKey):
    """The public half of one key, which signs with another."""

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Message:
        """Sign with the stranger's key."""
        return STRANGER.sign_ssh_data(data)


class Replayer(paramiko.ECDSAKey):
    """The right key, whose signature is of another session."""

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Message:
        """Sign what differs from what is asked for in the session's id."""
        return super().sign_ssh_data(data[:10] + bytes([data[10] ^ 1]) + data[11:])


@pytest.mark.parametrize("kind", [Impostor, Replayer])
def test_a_signature_must_be_of_this_key_and_this_session(guarded: World, kind: type[paramiko.ECDSAKey]) -> None:
    """That the public half is the account's is no proof."""
    assert isinstance(guarded.key, paramiko.ECDSAKey)
    forged = kind(vals=(guarded.key.signing_key, guarded.key.verifying_key))
    assert is_refused(guarded, lambda transport: transport.auth_publickey(US, forged))


CHANNELS: dict[str, Callable[[paramiko.Channel], object]] = {
    "a shell": lambda channel: channel.invoke_shell(),
    "a command": lambda channel: channel.exec_command("id"),
    "a terminal": lambda channel: channel.get_pty(),
    "another subsystem": lambda channel: channel.invoke_subsystem("netconf"),
    "a display": lambda channel: channel.request_x11(),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_a_session_has_sftp_and_nothing_else(guarded: World, name: str) -> None:
    """No shell, no command, no terminal."""
    with logged_in(guarded.address(), US, guarded.key) as transport:
        channel = transport.open_session(timeout=DEADLINE)
        channel.settimeout(DEADLINE)
        with pytest.raises((paramiko.SSHException, EOFError)):
            CHANNELS[name](channel)


def test_nothing_is_forwarded(guarded: World) -> None:
    """Neither from the server onwards, nor to it."""
    with logged_in(guarded.address(), US, guarded.key) as transport:
        for kind in ("direct-tcpip", "forwarded-tcpip", "x11", "auth-agent@openssh.com"):
            with pytest.raises((paramiko.SSHException, EOFError)):
                transport.open_channel(kind, ("127.0.0.1", guarded.port), ("127.0.0.1", 1), timeout=DEADLINE)
        with pytest.raises((paramiko.SSHException, EOFError)):
            transport.request_port_forward("127.0.0.1", 0)


def test_old_algorithms_are_not_offered(guarded: World) -> None:
    """The server's list, which it sends before anything is encrypted, has no SHA-1, no MD5, no CBC, no 3DES."""
    with guarded.address().dial() as connection:
        connection.sendall(b"SSH-2.0-test\r\n")
        heard = b""
        while b"curve25519" not in heard or len(heard) < 600:
            heard += connection.recv(4096)
    assert [
        old for old in (b"sha1", b"md5", b"-cbc", b"3des", b"arcfour", b"ssh-dss", b"ssh-rsa,") if old in heard
    ] == []


def test_an_account_sees_its_own_feed(guarded: World) -> None:
    """The other account's canary is there for it, so what hides it from us is the account."""
    with guarded.sftp(OTHERS) as wire:
        assert wire.ask(STAT, text("/results/secret.zip.report.txt")).kind == ATTRS


def test_channels_of_a_session_are_few(guarded: World) -> None:
    """A hundred of them in one session are refused at some point, and all gone with it."""
    with logged_in(guarded.address(), US, guarded.key) as transport:
        opened = 0
        try:
            for _ in range(100):
                transport.open_session(timeout=DEADLINE)
                opened += 1
        except (paramiko.SSHException, EOFError):
            pass
        assert opened < 100


def test_a_client_that_hangs_up_at_any_moment_leaves_nothing(guarded: World) -> None:
    """In the banner, in the exchange of keys, before and after the login."""
    for greeting in (
        b"",
        b"SSH-2.0-x\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"SSH-1.5-old\r\n",
        bytes(70_000),
        b"\xff" * 5000,
    ):
        with guarded.address().dial() as connection:
            connection.sendall(greeting)
    with met(guarded.address()) as transport:
        transport.sock.close()
