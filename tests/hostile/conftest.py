"""One daemon for all hostile clients, and what must hold after each of them."""

from collections.abc import Iterator

import pytest
from hostile_clients import Wire
from hostile_world import CANARY, LIMITS, World, serving
from places import wait_until


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the daemon, with canaries in all places that our account must not see."""
    with serving(tmp_path_factory.mktemp("hostile"), *LIMITS) as running:
        lying = {running.others_waiting: CANARY, running.others_receipt: CANARY, running.receipt: b"accepted"}
        for path, content in lying.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield running


@pytest.fixture
def guarded(world: World) -> Iterator[World]:
    """Yield the world to a hostile client; after it all is as before, no thread is left, and the next is served."""
    before, kept, threads = world.untouched(), world.leftovers(), world.threads()
    yield world
    assert world.daemon.process.poll() is None
    assert world.serves()
    assert wait_until(lambda: world.threads() <= threads), f"{world.threads() - threads} threads are left"
    assert wait_until(lambda: world.leftovers() == kept), world.leftovers()
    assert world.untouched() == before


@pytest.fixture
def wire(guarded: World) -> Iterator[Wire]:
    """Log in as a hostile client, which must not have read a canary at the end."""
    with guarded.sftp() as found:
        yield found
    assert CANARY not in found.heard
