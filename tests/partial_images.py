"""Images of uploads that went wrong, and what the claim would make of each.

An image is made from two whole drops of one form, yesterday's (`old`) and today's (`new`), by seed: the same seed gives
the same bytes. Accepted is what `completeness` lets pass and whose members can all be read to their ends; it must then
hold, file by file, what one of the two held.
"""

import hashlib
import io
import itertools
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from zipcraft import Part, craft

from ingestd.generate import district, next_day, write_folder
from ingestd.unpack import PackageFault, PackageLimits, Verdict, completeness, open_package

Files = Mapping[str, bytes]
LIMITS = PackageLimits()
PAGE = 512
"""Bytes that arrive, or fail to, together: small, so that small drops have many."""


class Came(StrEnum):
    """What came of an image; `WRONG` is what must never be."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    REJECTED = "rejected"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Pair:
    """The drops of two days in one form of zip."""

    old: bytes
    new: bytes


# Forms of zip -----------------------------------------------------------------------------------------------------


class _Pipe(io.RawIOBase):
    """A stream that cannot seek: what is written to it has data descriptors."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        """Say so."""
        return True

    def write(self, data: object) -> int:
        """Take bytes."""
        self.written += memoryview(data)  # type: ignore[arg-type]
        return len(memoryview(data))  # type: ignore[arg-type]


def stored(files: Files) -> bytes:
    """Return a zip whose members are not compressed."""
    return _zipped(files, zipfile.ZIP_STORED)


def deflated(files: Files) -> bytes:
    """Return a zip as most programs write it."""
    return _zipped(files, zipfile.ZIP_DEFLATED)


def streamed(files: Files) -> bytes:
    """Return a zip written to a pipe: sizes and CRC come behind each member."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return bytes(pipe.written)


def zip64(files: Files) -> bytes:
    """Return a zip whose every size is a 64-bit one."""
    return craft([Part(name=name.encode(), data=content, zip64=True) for name, content in files.items()], zip64=True)


def many_members(files: Files) -> bytes:
    """Return a zip with almost as many members as are allowed; most are none of a roster."""
    extra = {f"notes-{number}.txt": files["users.csv"][number : 40 * number] for number in range(50)}
    return _zipped({**files, **extra}, zipfile.ZIP_DEFLATED)


def in_a_folder(files: Files) -> bytes:
    """Return a zip of a folder, with a comment behind everything."""
    return _zipped(
        {f"export/{name}": content for name, content in files.items()}, zipfile.ZIP_DEFLATED, b"nightly " * 9
    )


FORMS: tuple[Callable[[Files], bytes], ...] = (stored, deflated, streamed, zip64, many_members, in_a_folder)


def _zipped(files: Files, method: int, comment: bytes = b"") -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as package:
        package.comment = comment
        for name, content in files.items():
            package.writestr(name, content)
    return raw.getvalue()


def pairs(folder: Path) -> dict[str, Pair]:
    """Return the two days of a small district in every form of zip; `folder` is for the CSVs in between."""
    first = district(60, seed=5)
    days = (first, next_day(first, day=2, seed=5, changed=0.05))
    contents = []
    for number, day in enumerate(days):
        write_folder(day, folder / f"{number}")
        contents.append({path.name: path.read_bytes() for path in sorted((folder / f"{number}").iterdir())})
    return {form.__name__: Pair(*map(form, contents)) for form in FORMS}


# Kinds of image ---------------------------------------------------------------------------------------------------


def truncated(pair: Pair, chance: Random) -> bytes:
    """The beginning, however long; every other one is cut in the directory, where the end is near."""
    size = len(pair.new)
    return pair.new[: chance.randrange(size) if chance.random() < 0.5 else size - chance.randrange(1, size // 8)]


def with_holes(pair: Pair, chance: Random) -> bytes:
    """The whole length, with pages that have not come yet: several connections fetch or send side by side."""
    image = bytearray(pair.new)
    for _ in range(chance.randint(1, 6)):
        begin = chance.randrange(0, len(image), PAGE)
        end = min(begin + PAGE * chance.randint(1, 4), len(image))
        image[begin:end] = bytes(end - begin)
    return bytes(image)


def hybrid(pair: Pair, chance: Random) -> bytes:
    """Yesterday's drop, overwritten in place with today's: from the front, or page by page."""
    if chance.random() < 0.5:
        at = chance.randrange(len(pair.new))
        return pair.new[:at] + pair.old[at:]
    image = bytearray(pair.old)
    for begin in range(0, len(pair.new), PAGE):
        if chance.random() < 0.5:
            image[begin : begin + PAGE] = pair.new[begin : begin + PAGE]
    return bytes(image)


def preallocated(pair: Pair, chance: Random) -> bytes:
    """The whole length from the start, or more; zeros behind what has come."""
    at = chance.randrange(len(pair.new))
    return pair.new[:at] + bytes(len(pair.new) - at + chance.choice([0, 0, PAGE, 7]))


def wrongly_resumed(pair: Pair, chance: Random) -> bytes:
    """A second attempt put where it does not belong: too early, too late, behind another day's, or from the start."""
    size = len(pair.new)
    at, again = sorted(chance.sample(range(size), 2))
    return chance.choice(
        [
            pair.new[:at] + pair.new[again:],
            pair.new[:again] + pair.new[at:],
            pair.old[:at] + pair.new[at:],
            pair.new[:at] + pair.new,
            pair.old + pair.new[:at],
        ]
    )


def with_flipped_bits(pair: Pair, chance: Random) -> bytes:
    """All of it, with one to eight bits the other way round."""
    image = bytearray(pair.new)
    for _ in range(chance.randint(1, 8)):
        image[chance.randrange(len(image))] ^= 1 << chance.randrange(8)
    return bytes(image)


KINDS: tuple[Callable[[Pair, Random], bytes], ...] = (
    truncated, with_holes, hybrid, preallocated, wrongly_resumed, with_flipped_bits,
)  # fmt: skip

UNDER_WAY = frozenset({"truncated", "with_holes", "preallocated"})
"""Kinds that more bytes can still make whole: none of them may be rejected."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image: by which seed it was made, of what kind, from which form of zip, and its bytes."""

    seed: int
    kind: str
    form: str
    content: bytes


def images(drops: Mapping[str, Pair], seeds: Iterable[int]) -> Iterator[Image]:
    """Yield an image per seed: seeds one after the other go round all kinds of all forms."""
    turns = [(kind, form) for form in drops for kind in KINDS]
    for seed in seeds:
        kind, form = turns[seed % len(turns)]
        yield Image(seed, kind.__name__, form, kind(drops[form], Random(seed)))


# What comes of them -----------------------------------------------------------------------------------------------


def contents(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a roster, read to its end, as a run reads it.

    Raises:
        PackageFault: it cannot be read.
    """
    with open_package(path, LIMITS) as package:
        return {file: _digest(package.stream(file)) for file in package.files}


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Judge:
    """Lays images at a path, one after the other, and says what comes of each. `whole` has what it must hold."""

    path: Path
    whole: Mapping[str, tuple[Mapping[str, str], ...]]

    @classmethod
    def of(cls, drops: Mapping[str, Pair], path: Path) -> "Judge":
        """Return the judge of images of these drops, each of which must be complete itself."""

        def read(content: bytes) -> Mapping[str, str]:
            path.write_bytes(content)
            assert completeness(path, LIMITS).verdict is Verdict.COMPLETE
            return contents(path)

        return cls(path, {form: (read(pair.old), read(pair.new)) for form, pair in drops.items()})

    def judge(self, image: Image) -> Came:
        """Return what the claim does with an image, and whether it is what one of the drops held."""
        self.path.write_bytes(image.content)
        verdict = completeness(self.path, LIMITS).verdict
        if verdict is not Verdict.COMPLETE:
            return Came.WAITING if verdict is Verdict.INCOMPLETE else Came.REJECTED
        try:
            return Came.ACCEPTED if contents(self.path) in self.whole[image.form] else Came.WRONG
        except PackageFault:
            return Came.WRONG

    def ends_like_a_zip(self, image: Image) -> bool:
        """Return what a check of the end record alone says, which many programs go by."""
        with suppress(zipfile.BadZipFile):  # before Python 3.12 it raises for an end that lies
            return zipfile.is_zipfile(io.BytesIO(image.content))
        return False


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of images by kind, how many of them end like a zip, and the seeds of those that went wrong."""

    came: Counter[tuple[str, Came]]
    by_end: Counter[str]
    wrong: tuple[int, ...]

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.came + other.came, self.by_end + other.by_end, self.wrong + other.wrong)


def tally(seeds: Iterable[int], folder: Path) -> Tally:
    """Judge the images of these seeds; `folder` is for the files that takes."""
    drops = pairs(folder)
    judge = Judge.of(drops, folder / "drop.zip")
    total = Tally(Counter(), Counter(), ())
    for image in images(drops, seeds):
        came = judge.judge(image)
        wrong = (image.seed,) if came is Came.WRONG else ()
        by_end = Counter([image.kind] if judge.ends_like_a_zip(image) else [])
        total += Tally(Counter([(image.kind, came)]), by_end, wrong)
    return total


def table(found: Tally) -> str:
    """Return a tally as text, a line per kind; the last column has what a check of the end record would have taken."""
    names = [kind.__name__ for kind in KINDS]
    head = f"{'kind':<20}" + "".join(f"{came:>10}" for came in Came) + f"{'by its end':>12}"
    lines = (
        f"{name:<20}" + "".join(f"{found.came[name, came]:>10,}" for came in Came) + f"{found.by_end[name]:>12,}"
        for name in names
    )
    sums = "".join(f"{sum(found.came[name, came] for name in names):>10,}" for came in Came)
    return "\n".join(itertools.chain([head], lines, [f"{'all':<20}{sums}{found.by_end.total():>12,}"]))
