"""Packages: odd zips, and any damage."""

import zipfile
from pathlib import Path
from typing import cast

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from unpack_world import LIMITS, contents, lay, spot
from zipcases import BIG, CASES, MANIFEST, NESTED, ORGS, PLAIN, USERS, Odd
from zipcraft import Part, craft, streamed

from ingestd.core.model import Batch, Severity
from ingestd.unpack import PackageFault, Verdict, completeness

__all__ = ["spot"]


# The catalogue of odd zips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_odd_zip_has_its_verdict_and_its_words(odd: Odd, spot: Path) -> None:
    """An odd zip is waited for if more bytes could mend it, else taken to be rejected, and the finding says why."""
    verdict = completeness(lay(spot, odd.raw), LIMITS)
    said = cast("Batch", verdict.batch)
    assert (said.code, said.severity) == (odd.code, Severity.CATASTROPHIC)
    assert odd.says in said.message
    assert said.message.isprintable()
    assert verdict.verdict is (Verdict.INCOMPLETE if odd.code == "incomplete-zip" else Verdict.BROKEN)


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_odd_zip_never_reads_to_its_end(odd: Odd, spot: Path) -> None:
    """Whoever does not ask for completeness meets the same fault when opening, or when reading the files."""
    if odd.name == "content: a file that is not read":
        assert contents(lay(spot, odd.raw)) == {"users.csv": USERS.data}
        return
    with pytest.raises(PackageFault) as fault:
        contents(lay(spot, odd.raw))
    assert fault.value.batch == completeness(spot, LIMITS).batch


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_legal_twin_is_taken(odd: Odd, spot: Path) -> None:
    """The nearest legal zip is complete, and reads as `zipfile` reads it."""
    assert completeness(lay(spot, odd.twin), LIMITS).verdict is Verdict.COMPLETE
    with zipfile.ZipFile(spot) as package:
        known = {name.rpartition("/")[2].lower(): package.read(name) for name in package.namelist()}
    for file, content in contents(spot).items():
        assert content == known[file.lower()]


# Any damage ---------------------------------------------------------------------------------------------------------

GOOD = {
    "deflated": PLAIN,
    "stored": craft([Part(name=b"users.csv", method=0), Part(name=b"orgs.csv", data=b"x" * 200, method=0)]),
    "streamed": craft([streamed(MANIFEST), streamed(USERS), ORGS], comment=b"by a school"),
    "zip64": craft([MANIFEST, Part(zip64=True)], zip64=True),
    "nested": NESTED,
}
good = st.sampled_from(sorted(GOOD))


def is_harmless(spot: Path, raw: bytes, *originals: bytes) -> bool:
    """Return whether damaged bytes are not complete, or else say what one of the originals says."""
    if completeness(lay(spot, raw), LIMITS).verdict is not Verdict.COMPLETE:
        return True
    now = contents(spot)
    return now in [contents(lay(spot, original)) for original in originals]


@examples(200)
@given(good, st.data())
def test_cut_zip_is_waited_for(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip cut at any byte is incomplete: never whole, and never beyond hope."""
    raw = GOOD[name][: data.draw(st.integers(0, len(GOOD[name]) - 1))]
    assert completeness(lay(spot, raw), LIMITS).verdict is Verdict.INCOMPLETE


@examples(400)
@given(good, st.data())
def test_flipped_byte_never_changes_a_complete_zip(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with another byte anywhere is not complete, or reads as before."""
    raw = bytearray(GOOD[name])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert is_harmless(spot, bytes(raw), GOOD[name])


@examples(200)
@given(good, st.data())
def test_hole_never_changes_a_complete_zip(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with zeros in place of any span is not complete, or reads as before."""
    raw = bytearray(GOOD[name])
    start = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(start + 1, len(raw)))
    raw[start:end] = bytes(end - start)
    assert is_harmless(spot, bytes(raw), GOOD[name])


LONG = craft([MANIFEST, *(Part(name=b"%s.csv" % name, data=BIG[:60_000]) for name in (b"users", b"orgs", b"classes"))])


@examples(200)
@given(st.integers(0, (len(LONG) - 1) // 512), st.integers(1, 20))
def test_zip_with_missing_sectors_is_waited_for(spot: Path, first: int, count: int) -> None:
    """A zip of which whole sectors have not come, wherever they lie, is incomplete and not beyond hope."""
    start, end = first * 512, min(len(LONG), (first + count) * 512)
    raw = LONG[:start] + bytes(end - start) + LONG[end:]
    assert completeness(lay(spot, raw), LIMITS).verdict is Verdict.INCOMPLETE


@examples(200)
@given(st.integers(1, 5600))
def test_zip_half_written_over_the_last_one_is_waited_for(spot: Path, cut: int) -> None:
    """Tonight's zip on its way over last night's, of the same software, is incomplete or one of the two."""
    tonight = craft([MANIFEST, Part(data=BIG[:30_000]), ORGS])
    before = craft([MANIFEST, Part(data=BIG[100:40_000]), ORGS])
    raw = tonight[:cut] + before[cut:]
    assert completeness(lay(spot, raw), LIMITS).verdict is not Verdict.BROKEN
    assert is_harmless(spot, raw, tonight, before)


@examples(200)
@given(good, good, st.data())
def test_hybrid_of_two_zips_is_one_of_them_or_none(spot: Path, new: str, old: str, data: st.DataObject) -> None:
    """A zip half written over another is complete only if it reads as one of the two."""
    cut = data.draw(st.integers(0, len(GOOD[new])))
    assert is_harmless(spot, GOOD[new][:cut] + GOOD[old][cut:], GOOD[new], GOOD[old])


@examples(200)
@given(good, st.data())
def test_upload_resumed_at_the_wrong_place_never_passes(spot: Path, name: str, data: st.DataObject) -> None:
    """A zip with a span doubled or left out is not complete, or reads as before."""
    raw = GOOD[name]
    stop, resume = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))
    assert is_harmless(spot, raw[:stop] + raw[resume:], raw)


@examples(100)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_have_a_verdict(spot: Path, raw: bytes, is_zip: bool) -> None:
    """Whatever lies in an inbox gets a verdict, and not a traceback."""
    assert completeness(lay(spot, b"PK\3\4" * is_zip + raw), LIMITS).verdict is not Verdict.COMPLETE
