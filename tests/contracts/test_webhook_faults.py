"""What can go wrong between the webhook sink and its application: each fault by itself, then all of them at random.

Whatever happens, no action is done twice, none is lost, and their order stays.
"""

import os
import random
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from contracts.test_webhook_sink import RULES, WebhookWorld, secret
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from receiver import Fault, Receiver, receiving

from ingestd.core.model import Actions
from ingestd.core.plan import make_plan
from ingestd.errors import SinkError, TransientSinkError
from ingestd.sinks.memory import MemorySink
from ingestd.sinks.webhook import WebhookSink
from ingestd.testing.actions import ANN, BOB, create, remove, update

__all__ = ["secret"]

SEEDS = int(os.environ.get("INGESTD_SEEDS", "2"))
"""How many times each fault is met at random."""

PASSING: dict[str, Fault] = {
    "408": Fault(408),
    "425": Fault(425),
    "429": Fault(429),
    "429 with a number": Fault(429, {"retry-after": "7"}),
    "429 with a date": Fault(429, {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}),
    "429 with a date gone by": Fault(429, {"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    "429 with nonsense": Fault(429, {"retry-after": "soon"}),
    "500 before the work": Fault(500),
    "500 after the work": Fault(500, does=True),
    "502 of a gateway, with a page": Fault(502, body=b"<html>bad gateway</html>"),
    "503 with a number": Fault(503, {"retry-after": "3"}),
    "504 after the work": Fault(504, does=True),
    "no answer after the work": Fault(manner="hang", does=True),
    "no answer, no work": Fault(manner="hang"),
    "connection cut before the work": Fault(manner="cut"),
    "connection cut after the work": Fault(manner="cut", does=True),
    "half an answer": Fault(200, manner="half", does=True),
    "half a 207": Fault(207, manner="half", does=True),
    "an answer of a byte at a time": Fault(200, manner="slow", does=True),
    "an answer that is no HTTP": Fault(manner="garbage"),
    "207 with wrong JSON": Fault(207, body=b"{failed: []}", does=True),
    "207 of actions that are not there": Fault(207, body=b'{"failed": [{"index": 99}]}', does=True),
    "207 that is an endless list": Fault(207, body=b"[" * 5_000_000, does=True),
    "a status that HTTP has not": Fault(599),
}
"""Faults that pass."""
FINAL = {
    "401": Fault(401), "403": Fault(403), "404": Fault(404), "410": Fault(410),
    "301": Fault(301, {"location": "/elsewhere"}), "302": Fault(302, {"location": "/elsewhere"}),
    "307": Fault(307, {"location": "/elsewhere"}), "308": Fault(308, {"location": "/elsewhere"}),
}  # fmt: skip
"""Answers after which nothing more is sent."""


class FaultWorld(WebhookWorld):
    """An application that fails as it is told to, and a sink that waits half a second for it."""

    @pytest.fixture
    def sink(self, tmp_path: Path) -> Iterator[WebhookSink]:
        """Return a sink that sends two actions at once."""
        made = self.make(tmp_path, batch=2, timeout=0.5)
        yield made
        made.close()

    def apply(self, sink: WebhookSink, *groups: Actions, once: str = "1", run: str = "r.1") -> Any:
        """Apply a plan of these actions."""
        return sink.apply(make_plan(groups), once=once, run=run, at="t", progress=lambda _: None)

    def ids(self) -> set[str]:
        """Return the ids of the patrons that the application has."""
        return {key[0] for key in self.receiver.tables.get("patrons", {})}


class TestPassing(FaultWorld):
    """Faults that pass are waited out."""

    @pytest.mark.parametrize("name", list(PASSING))
    def test_a_fault_that_passes_costs_nothing(self, sink: WebhookSink, name: str) -> None:
        """The batch is sent again under its key, and done once; then the next."""
        self.receiver.faults.append(PASSING[name])
        outcomes = self.apply(sink, create(ANN, BOB, {**BOB, "id": "P3"}))
        assert [(one.done, dict(one.failed)) for one in outcomes] == [(3, {})]
        keys = self.receiver.keys
        assert keys[0] == keys[1] != keys[2] and len(keys) == 3
        assert self.ids() == {"P1", "P2", "P3"}
        assert len(self.time.pauses) == 1

    @pytest.mark.parametrize(
        ("name", "pause"),
        [("429 with a number", 7), ("503 with a number", 3), ("429 with a date", 30), ("429 with nonsense", 1)],
    )
    def test_the_receiver_says_when_to_come_back(self, sink: WebhookSink, name: str, pause: float) -> None:
        """In seconds or by a date; what cannot be read is no wish."""
        self.receiver.faults.append(PASSING[name])
        self.apply(sink, create(ANN))
        assert self.time.pauses == [pause]

    def test_pauses_grow(self, sink: WebhookSink) -> None:
        """With each failure in a row; and begin anew with the next batch."""
        self.receiver.faults.extend([Fault(500)] * 4)
        self.apply(sink, create(ANN))
        self.receiver.faults.extend([Fault(500)] * 2)
        self.apply(sink, create(BOB), once="2")
        assert self.time.pauses == [1, 2, 4, 8, 1, 2]

    def test_a_receiver_that_is_down_is_met_when_it_is_up(self, tmp_path: Path) -> None:
        """Its connections are refused until it listens."""
        with receiving(listening=False) as late, closing(self.make(tmp_path, url=late.url)) as sink:
            self.time.on_sleep = lambda: late.listen() if len(self.time.pauses) == 3 else None
            self.apply(sink, create(ANN))
            assert set(late.tables["patrons"]) == {("P1",)}
        assert len(self.time.pauses) == 3

    def test_a_name_that_is_nobody_s_is_a_fault_that_passes(self, tmp_path: Path) -> None:
        """The directory of names may be away."""
        made = self.make(tmp_path, url="https://app.invalid/roster")
        with closing(made) as sink, pytest.raises(TransientSinkError, match="cannot be reached"):
            self.apply(sink, create(ANN))

    def test_a_receiver_without_tls_is_sent_nothing(self, tmp_path: Path) -> None:
        """Behind https it must prove who it is before anything is said."""
        made = self.make(tmp_path, url=self.receiver.url.replace("http:", "https:"))
        with closing(made) as sink, pytest.raises(TransientSinkError, match="cannot be reached") as caught:
            self.apply(sink, create(ANN))
        assert not caught.value.is_partly_done
        assert self.receiver.requests == []

    def test_certificates_to_trust_must_be_there(self, tmp_path: Path) -> None:
        """Nothing is sent without them."""
        with closing(self.make(tmp_path, ca="missing.pem")) as sink, pytest.raises(SinkError, match="FileNotFound"):
            self.apply(sink, create(ANN))


class TestGivingUp(FaultWorld):
    """What does not pass is left until later, and nothing is lost by it."""

    def test_a_batch_is_tried_for_a_time(self, sink: WebhookSink) -> None:
        """Then the plan is left, with what may have been done of it."""
        self.receiver.faults.extend([Fault(500)] * 99)
        with pytest.raises(TransientSinkError, match="gave up: it answered 500") as caught:
            self.apply(sink, create(ANN))
        assert caught.value.is_partly_done
        assert sum(self.time.pauses) <= 120

    def test_a_wish_for_more_time_than_that_is_granted_at_once(self, sink: WebhookSink) -> None:
        """It is let be for as long as it wished, and for an hour at most."""
        self.receiver.faults.append(Fault(429, {"retry-after": "1800"}))
        for late in (0, 1799):
            self.time.now = 1_800_000_000.0 + late
            with pytest.raises(TransientSinkError) as caught:
                self.apply(sink, create(ANN))
            assert not caught.value.is_partly_done
        self.time.now += 2
        self.apply(sink, create(ANN))
        assert (len(self.receiver.requests), self.time.pauses) == (2, [])

    def test_a_wish_for_a_year_is_one_for_an_hour(self, sink: WebhookSink) -> None:
        """A receiver's slip must not stop a feed for good."""
        self.receiver.faults.append(Fault(429, {"retry-after": "99999999"}))
        with pytest.raises(TransientSinkError):
            self.apply(sink, create(ANN))
        self.time.now += 3600
        self.apply(sink, create(ANN))
        assert self.ids() == {"P1"}

    def test_whoever_failed_too_often_is_let_be(self, sink: WebhookSink) -> None:
        """The next tries ask nobody, until some time has passed; then one request tells whether it is well again."""
        self.receiver.faults.extend([Fault(503)] * 99)
        with pytest.raises(TransientSinkError):
            self.apply(sink, create(ANN))
        asked = len(self.receiver.requests)
        for once in ("1", "2"):
            with pytest.raises(TransientSinkError, match="in a row"):
                self.apply(sink, create(ANN), once=once)
        assert len(self.receiver.requests) == asked
        self.time.now += 60
        with pytest.raises(TransientSinkError):
            self.apply(sink, create(ANN))
        self.receiver.faults.clear()
        self.time.now += 3600
        assert self.apply(sink, create(ANN))[0].done == 1
        self.receiver.faults.append(Fault(503))
        assert self.apply(sink, create(BOB), once="3")[0].done == 1, "it is well again"

    @pytest.mark.parametrize("name", list(FINAL))
    def test_nothing_more_is_sent_to_whoever_refuses_us(self, sink: WebhookSink, name: str) -> None:
        """What was done stays done; mended, the same plan goes on there."""
        groups = create(ANN, BOB, {**BOB, "id": "P3"}), remove("P1")
        self.receiver.faults.extend([Fault(200, does=True), FINAL[name]])
        with pytest.raises(SinkError, match=f"it answered {name}") as caught:
            self.apply(sink, *groups)
        assert not isinstance(caught.value, TransientSinkError) and caught.value.is_partly_done
        assert (len(self.receiver.requests), self.time.pauses, self.ids()) == (2, [], {"P1", "P2"})
        assert sum(one.done for one in self.apply(sink, *groups)) == 4
        assert self.ids() == {"P1", "P2", "P3"}

    def test_a_batch_that_is_refused_is_a_dead_letter(self, sink: WebhookSink) -> None:
        """Its actions have failed, with the number; the others are done."""
        self.receiver.faults.append(Fault(409, body=b"Ann Lee: no seat"))
        outcomes = self.apply(sink, create(ANN, BOB, {**BOB, "id": "P3"}))
        assert [(one.done, dict(one.failed)) for one in outcomes] == [(1, {0: "http-409", 1: "http-409"})]
        assert self.ids() == {"P3"}


class TestTls:
    """A real handshake: who is not trusted is told nothing."""

    def test_only_who_has_a_trusted_certificate_is_believed(self, tmp_path: Path, secret: str) -> None:
        """By `ca`, and by nothing else; not for another name either."""
        made = certificate(tmp_path, "127.0.0.1")
        other = certificate(tmp_path / "other", "127.0.0.2")
        for shown, trusted, is_believed in ((made, made, True), (made, other, False), (other, other, False)):
            with receiving(listening=False) as receiver:
                assert receiver._server is not None
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(shown)
                receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
                receiver.listen()
                found = posted(receiver, tmp_path / f"{shown.parent.name}-{trusted.parent.name}", secret, trusted)
                assert found is is_believed
                assert bool(receiver.requests) is is_believed


def posted(receiver: Receiver, folder: Path, secret: str, trusted: Path) -> bool:
    """Return whether a plan could be posted by TLS."""
    url = receiver.url.replace("http:", "https:")
    about = {"url": url, "secret": secret, "path": "hook.db", "ca": trusted, "max_retry": 0.001, "timeout": 5.0}
    with closing(WebhookSink.from_settings(about, folder, RULES)) as sink:
        try:
            sink.apply(make_plan([create(ANN)]), once="1", run="r.1", at="t", progress=lambda _: None)
        except TransientSinkError:
            return False
    return True


def certificate(folder: Path, address: str) -> Path:
    """Make a certificate for an address, and return the file that has it and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(exist_ok=True)
    public = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "both.pem").write_bytes(public + private)
    return folder / "both.pem"


class TestAtRandom(FaultWorld):
    """Each fault, among calm, in a row of plans."""

    @pytest.mark.parametrize("seed", range(SEEDS))
    @pytest.mark.parametrize("name", [*PASSING, *FINAL])
    def test_whatever_fails_the_application_ends_as_the_plans_say(self, tmp_path: Path, name: str, seed: int) -> None:
        """As the reference sink has it that nothing disturbs, each batch done once, and in its order."""
        chance = random.Random(f"{name} {seed}")
        reference = MemorySink()
        fault = PASSING.get(name) or FINAL[name]
        with closing(self.make(tmp_path, batch=2, timeout=0.1)) as sink:
            for day in range(3):
                plan = make_plan(groups_of(chance))
                told: dict[str, Any] = {"once": str(day), "run": f"r.{day}", "at": "t", "progress": lambda _: None}
                reference.apply(plan, **told)
                while not self.is_applied(sink, plan, told, fault, chance):
                    self.time.now += 3600
        wanted = {name: rows for name, rows in reference.tables.items() if rows}
        assert {name: rows for name, rows in self.receiver.tables.items() if rows} == wanted
        first = list(dict.fromkeys(self.receiver.keys))
        order = [self.receiver.keys.index(key) for key in first]
        assert list(self.receiver.effects) == first and order == sorted(order)

    def is_applied(self, sink: WebhookSink, plan: Any, told: Any, fault: Fault, chance: Any) -> bool:
        """Try to apply a plan with some faults on the way; by chance another process goes on."""
        self.receiver.faults.clear()
        for _ in range(chance.randint(0, 3)):
            self.receiver.faults.append(Fault(200, does=True) if chance.random() < 0.3 else fault)
        if chance.random() < 0.3:
            sink.close()
        try:
            outcomes = sink.apply(plan, **told)
        except SinkError:
            return False
        assert sum(one.done for one in outcomes) == len(plan)
        return True


def groups_of(chance: random.Random) -> list[Actions]:
    """Return some actions on some records."""
    ids = chance.sample([f"P{one}" for one in range(12)], 9)
    made = [{"id": one, "name": f"N{chance.randint(0, 99)}", "email": ""} for one in ids[:5]]
    changed = [{"id": one, "name": f"N{chance.randint(0, 99)}"} for one in ids[5:7]]
    return [create(*made), update(*changed), remove(*ids[7:])]
