"""A batch that the webhook's application declines for what is in it: cut up, so that one action costs no other."""

from contextlib import closing
from pathlib import Path

import pytest
from contracts.test_webhook_faults import FaultWorld
from contracts.test_webhook_sink import secret
from receiver import Fault

from ingestd.errors import SinkError
from ingestd.sinks.webhook import WebhookSink
from ingestd.testing.actions import BOB, create

__all__ = ["secret"]

PEOPLE = [{**BOB, "id": f"P{number}"} for number in range(20)]


class TestDeclined(FaultWorld):
    """A batch of which nothing is done for what is in it: cut up, until it is known which actions that is."""

    def make_large(self, folder: Path) -> WebhookSink:
        """Return a sink that sends all of the people at once."""
        return self.make(folder, batch=20)

    def failed(self, sink: WebhookSink) -> dict[int, str]:
        """Have all people created; return whom the application does not take."""
        (outcome,) = self.apply(sink, create(*PEOPLE))
        assert outcome.done == len(PEOPLE) - len(outcome.failed)
        return dict(outcome.failed)

    @pytest.mark.parametrize("status", [400, 422])
    def test_what_is_wrong_with_one_costs_no_other(self, tmp_path: Path, status: int) -> None:
        """Those that are taken are done once, each under a key that comes of its batch's."""
        self.receiver.declines = {("patrons", ("P3",)): status, ("patrons", ("P17",)): status}
        with closing(self.make_large(tmp_path)) as sink:
            assert self.failed(sink) == {3: f"http-{status}", 17: f"http-{status}"}
        assert self.ids() == {one["id"] for one in PEOPLE} - {"P3", "P17"}
        assert len(self.receiver.keys) == len(set(self.receiver.keys)) < 20
        assert all(key.startswith(self.receiver.keys[0]) for key in self.receiver.keys)

    def test_what_is_too_much_is_sent_in_parts(self, tmp_path: Path) -> None:
        """As many as it takes, in their order."""
        self.receiver.most = 6
        with closing(self.make_large(tmp_path)) as sink:
            assert self.failed(sink) == {}
        sent = [[one["key"]["id"] for one in told["records"]] for _, told in self.receiver.requests]
        assert [len(one) for one in sent] == [20, 10, 5, 5, 10, 5, 5]
        assert list(self.receiver.tables["patrons"]) == [(one["id"],) for one in PEOPLE]

    def test_where_nothing_is_taken_not_all_is_cut_up(self, tmp_path: Path) -> None:
        """As when the form is not the receiver's: eight single actions tell it, of later batches too."""
        self.receiver.declines = {("patrons", (one["id"],)): 400 for one in PEOPLE}
        with closing(self.make(tmp_path, batch=10)) as sink:
            assert self.failed(sink) == dict.fromkeys(range(20), "http-400")
        assert sum(len(told["records"]) == 1 for _, told in self.receiver.requests) == 8
        assert self.ids() == set()

    def test_faults_in_between_do_nothing_twice(self, tmp_path: Path) -> None:
        """A half that gets no answer is sent again under its key, and so is all by a process that comes after."""
        self.receiver.declines = {("patrons", ("P3",)): 422}
        self.receiver.faults.extend([Fault(422, does=True), Fault(500, does=True), Fault(422, does=True), Fault(403)])
        with closing(self.make_large(tmp_path)) as sink, pytest.raises(SinkError, match="403"):
            self.failed(sink)
        with closing(self.make_large(tmp_path)) as sink:
            assert self.failed(sink) == {3: "http-422"}
        assert self.ids() == {one["id"] for one in PEOPLE} - {"P3"}
