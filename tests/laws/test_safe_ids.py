"""Laws of safe ids: each tells the id that it was made from, and is what Apple School Manager takes."""

import re

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.core.safe_ids import original_id, safe_id, safe_ids

IDS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab-x5F2D_", max_size=12)


@given(IDS)
@example("-x5F")
@example("-x2D-x5F_")
@example("-x2-xFF")
def test_a_safe_id_tells_its_id(text: str) -> None:
    """So no two ids ever have one safe form."""
    assert original_id(safe_id(text)) == text


@given(IDS)
def test_a_safe_id_has_letters_digits_and_hyphens(text: str) -> None:
    """The identifiers of Apple School Manager (systems.md 2.1, rule 6)."""
    assert re.fullmatch("[A-Za-z0-9-]*", safe_id(text))


@given(st.from_regex(r"[A-Za-z0-9]+(-[A-WYZa-wyz0-9]+)*", fullmatch=True))
def test_what_is_safe_stays(text: str) -> None:
    """Numbers, UUIDs and the like are what they were."""
    assert safe_id(text) == text


@given(st.lists(IDS))
def test_a_column_is_made_safe_as_each_id_is(texts: list[str]) -> None:
    """Whole columns and single ids agree."""
    assert safe_ids(pa.array(texts, pa.large_string())).to_pylist() == [safe_id(text) for text in texts]
