"""What to fetch is decided from looks alone: two that agree, apart by our own clock."""

from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.fetching import Chooser, Listed, still_there

A, B = Listed("a.zip", 10, 200), Listed("b.zip", 20, 100)


def test_one_look_is_not_enough() -> None:
    """Whatever time the server tells: it may be hours old and still be written to."""
    assert Chooser(60).choose([Listed("a.zip", 10, 0)], {}, now=1000).fetch == ()


def test_the_second_look_comes_when_it_is_due() -> None:
    """Not before, and it need not be later; the oldest by the server's time comes first."""
    chooser = Chooser(60)
    assert chooser.choose([A, B], {}, now=1000).due == 1060
    assert chooser.choose([A, B], {}, now=1059.9).fetch == ()
    choice = chooser.choose([A, B], {}, now=1060)
    assert (choice.fetch, choice.due) == ((B, A), None)


def test_a_change_begins_anew() -> None:
    """Of size or of time, for that file alone; so does a file that was away in between."""
    for changed in (Listed("a.zip", 11, 200), Listed("a.zip", 10, 201)):
        chooser = Chooser(60)
        chooser.choose([A, B], {}, now=1000)
        choice = chooser.choose([changed, B], {}, now=1060)
        assert (choice.fetch, choice.due) == ((B,), 1120)
    chooser.choose([B], {}, now=1070)
    assert chooser.choose([changed, B], {}, now=1120).fetch == (B,)


def test_what_was_fetched_is_not_fetched_again() -> None:
    """As long as it is what it was then; after that it is another file."""
    chooser = Chooser(0)
    assert chooser.choose([A, B], {"a.zip": A}, now=1000).fetched == (A,)
    assert chooser.choose([A, B], {"a.zip": A}, now=1000).fetch == (B,)
    assert chooser.choose([A], {"a.zip": Listed("a.zip", 9, 200)}, now=1000).fetch == (A,)


def test_what_is_no_longer_listed_is_forgotten() -> None:
    """A memory is never larger than the folder."""
    assert still_there({"a.zip": A, "b.zip": B}, [Listed("b.zip", 99, 99)]) == {"b.zip": B}


FILES = st.builds(Listed, st.just("a.zip"), st.integers(0, 1), st.integers(0, 1))
LISTINGS = st.lists(st.tuples(st.integers(1, 30), st.lists(FILES, max_size=1)), max_size=20)


@given(LISTINGS)
def test_nothing_is_fetched_that_did_not_rest(looks: list[tuple[int, list[Listed]]]) -> None:
    """Whatever a server shows: what is fetched looked the same at every look of the last `settle` seconds."""
    chooser, now, history = Chooser(20), 0, list[tuple[int, list[Listed]]]()
    for passed, listing in looks:
        now += passed
        history.append((now, listing))
        for file in chooser.choose(listing, {}, now).fetch:
            since = max((at for at, seen in history if seen != [file]), default=0)
            same = [at for at, _ in history if at > since]
            assert now - min(same) >= 20
