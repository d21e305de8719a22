"""An application with a webhook, over real HTTP: it knows batches again by their key, and fails as it is told to."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema

import ingestd.sinks

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SCHEMA = json.loads((Path(ingestd.sinks.__file__).parent / "actions.v1.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

Key = tuple[str, ...]
Table = dict[Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request: it is answered otherwise, in another `manner`, after it `does` its work or not.

    Manners: `whole`, `half` an answer, a `slow` one, `hang` without one, `cut` the connection, or `garbage`.
    """

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    manner: str = "whole"
    does: bool = False


@dataclass(slots=True)
class Receiver:
    """The application. `faults` come first, one a request; then each request is answered as it should be.

    `refuses` has the records, by target and key, on which actions fail, and with which reason. Of a batch with one that
    it `declines`, nothing is done, and the answer is that status; so it is with more than `most` records. `odd` lists
    what nobody should send: a signature or a form that is wrong, and what has no effect on what is there.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    refuses: dict[tuple[str, Key], str] = field(default_factory=dict)
    declines: dict[tuple[str, Key], int] = field(default_factory=dict)
    most: int = 1_000_000
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    is_strict: bool = False
    is_listening: bool = False
    url: str = ""
    _call: tuple[int, Callable[[], None] | None] = (0, None)
    _answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _server: "Application | None" = None

    @property
    def keys(self) -> list[str]:
        """Return the keys of the batches that were sent, in their order."""
        return [key for key, _ in self.requests]

    def listen(self) -> None:
        """Take connections from now on; before, they are refused."""
        assert self._server is not None
        self.is_listening = True
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def call_at(self, number: int, call: Callable[[], None] | None) -> None:
        """Have something done when so many more requests came, before the last of them is answered; None: nothing."""
        with self._lock:
            self._call = len(self.requests) + number, call

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[Fault | None, int, bytes]:
        """Take a request: return how it is spoilt, and the answer."""
        with self._lock:
            key, told = headers["webhook-id"], json.loads(body)
            self.requests.append((key, told))
            self.headers.append({name.lower(): value for name, value in headers.items()})
            self._check(headers, body, told)
            fault = self.faults.popleft() if self.faults else None
            if fault is None or fault.does:
                self._do_once(key, told)
            number, call = self._call
            if call is not None and len(self.requests) >= number:
                self._call = 0, None
                call()
            return fault, *self._answers.get(key, (500, b""))

    def _check(self, headers: Mapping[str, str], body: bytes, told: Mapping[str, Any]) -> None:
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        wanted = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        if wanted not in headers["webhook-signature"].split(" "):
            self.odd.append("the signature is wrong")
        self.odd += [one.message for one in VALIDATOR.iter_errors(told)]

    def _do_once(self, key: str, told: Mapping[str, Any]) -> None:
        if key in self._answers:
            return
        records = [(told["target"], key_of(told, one["key"])) for one in told["records"]]
        declined = next((self.declines[one] for one in records if one in self.declines), None)
        if declined or len(records) > self.most:
            self._answers[key] = declined or 413, b"{}"
            return
        self.effects[key] += 1
        failed = [
            {"index": index, "reason": self.refuses[told["target"], where]}
            for index, one in enumerate(told["records"])
            if (told["target"], where := key_of(told, one["key"])) in self.refuses
        ]
        left_out = {one["index"] for one in failed}
        table = self.tables.setdefault(told["target"], {})
        for there in table.values():
            there.update({name: "" for name in told["columns"] if name not in there})
        for index, one in enumerate(told["records"]):
            if index not in left_out:
                self._act(table, told, one)
        self._answers[key] = (207, json.dumps({"failed": failed}).encode()) if failed else (200, b"{}")

    def _act(self, table: Table, told: Mapping[str, Any], one: Mapping[str, Any]) -> None:
        key, stamp = key_of(told, one["key"]), {"_run": told["run"], "_changed_at": told["at"]}
        if self.is_strict:
            self.odd += odd_of(table, told, one)
        match told["kind"], told.get("on_absent"):
            case "rekey", _:
                if key in table:
                    table[key_of(told, one["new_key"])] = {**table.pop(key), **one["new_key"], **stamp}
            case "remove", "delete":
                table.pop(key, None)
            case "remove", _:
                if key in table:
                    table[key].update(_active=0, **stamp)
            case _:
                blank = dict.fromkeys(told["columns"], "")
                table[key] = {**table.get(key, blank), **one["key"], **one["fields"], "_active": 1, **stamp}


def key_of(told: Mapping[str, Any], cells: Mapping[str, str]) -> Key:
    """Return a record's key."""
    return tuple(cells[name] for name in told["key"])


def odd_of(table: Table, told: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    """Return what is odd about an action whose feed is alone with the application: it was done before."""
    there = table.get(key_of(told, one["key"]))
    is_active = bool(there and there["_active"])
    if told["kind"] == "create" and is_active:
        return ["what is there is created"]
    if told["kind"] == "remove" and not is_active:
        return ["what is not there is removed"]
    if told["kind"] == "update" and there and is_active and one["fields"].items() <= there.items():
        return ["an update changes nothing"]
    return []


@contextmanager
def receiving(*, listening: bool = True) -> Iterator[Receiver]:
    """Run an application; if it is not listening yet, its connections are refused."""
    found = Receiver()
    with Application(found) as server:
        found._server, found.url = server, f"http://127.0.0.1:{server.server_port}/roster"
        if listening:
            found.listen()
        try:
            yield found
        finally:
            found._closing.set()
            if found.is_listening:
                server.shutdown()


class Application(ThreadingHTTPServer):
    """The server of an application; it does not listen yet."""

    daemon_threads, block_on_close = True, False

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.receiver = receiver
        self.server_bind()

    def handle_error(self, *_: object) -> None:
        """Whoever went away is missed by nobody."""


class Handler(BaseHTTPRequestHandler):
    """What speaks HTTP for an application."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Application

    def do_POST(self) -> None:
        """Take a batch."""
        body = self.rfile.read(int(self.headers["content-length"]))
        fault, status, answer = self.server.receiver.take(dict(self.headers.items()), body)
        if fault is None:
            self.respond(status, {}, answer)
        else:
            self.close_connection = fault.manner != "whole"
            self.fail(fault)

    def do_GET(self) -> None:
        """Nobody should ask for anything."""
        self.server.receiver.odd.append("a redirect was followed")

    def fail(self, fault: Fault) -> None:
        """Answer as the fault wants it."""
        match fault.manner:
            case "whole":
                self.respond(fault.status, fault.headers, fault.body)
            case "half":
                self.respond(fault.status, {"content-length": "99"}, b'{"failed": [')
            case "slow":
                self.respond(fault.status, {"content-length": "9999"}, b"")
                self.drip()
            case "hang":
                self.server.receiver._closing.wait(30)
            case "garbage":
                self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write an answer."""
        self.send_response(status)
        for name, value in ({"content-length": str(len(body))} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        """Write a byte at a time until nobody listens."""
        end = time.monotonic() + 30
        while time.monotonic() < end and not self.server.receiver._closing.wait(0.02):
            self.wfile.write(b" ")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
