"""What is called .zip and is none, or is one that only its sender can open: other archives, ciphers, methods, texts."""

import base64
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Sequence

import pyarrow as pa
from corpus.case import Case, Made
from corpus.sound import files_of_day_2, pack
from corpus.zip_structure import NOTED, PLAIN, USERS, noted, rejected, unsafe, users, waits

FILES = files_of_day_2()


def no_zip(name: str, bad: Made, says: str) -> Case:
    """Return a case that is no zip at all."""
    return rejected(name, bad, "not-a-zip", says)


def tarred() -> bytes:
    """Return the files in a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def packed_with(method: int) -> bytes:
    """Return the files in a zip of another method, as the standard library makes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in FILES.items():
            made.writestr(name, content)
    return out.getvalue()


WORKBOOK = {
    "[Content_Types].xml": b"<Types/>",
    "_rels/.rels": b"<Relationships/>",
    "xl/workbook.xml": b"<workbook/>",
    "xl/worksheets/sheet1.xml": b"<worksheet/>",
}
AES = struct.pack("<2HH2sBH", 0x9901, 7, 2, b"AE", 3, 8)
"""The extra field of WinZip's encryption, of 256 bits."""
ZSTANDARD = pa.compress(USERS.data, codec="zstd", asbytes=True)

CASES: Sequence[Case] = [
    no_zip("gzip", gzip.compress(FILES["users.csv"], mtime=0), "a gzip file"),
    no_zip("7-Zip", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(100), "a 7-Zip archive"),
    no_zip("RAR", b"Rar!\x1a\x07\x01\0" + bytes(100), "a RAR archive"),
    no_zip("tar", tarred(), "a tar archive"),
    no_zip("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
    no_zip("PGP", b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "a PGP message"),
    no_zip("web page", b"<!DOCTYPE html><html><title>Log in</title></html>", "a web page"),
    no_zip("CSV", FILES["users.csv"], "a text, such as a CSV that was not zipped"),
    no_zip("zip in base64", base64.encodebytes(PLAIN), "base64"),
    no_zip("Excel workbook", pack(WORKBOOK), "an Office document"),
    waits("nothing at all", b"", "it is empty"),
    rejected("an end record alone", b"PK\5\6" + bytes(18), "missing-manifest", ""),
    unsafe("ZipCrypto", users(flags=0x1, body=bytes(12) + USERS.packed), "users.csv is encrypted", users(flags=0x2)),
    unsafe("strong encryption", users(flags=0x41), "users.csv is encrypted", users(flags=0x4)),
    unsafe("AES", users(flags=0x1, method=99, extra=AES, local_extra=AES, body=bytes(28) + USERS.packed, crc=0),
           "users.csv is encrypted"),
    unsafe("encrypted directory", noted(flags=0x2000), "notes.txt is encrypted", NOTED),
    unsafe("Deflate64", users(method=9), "packed with Deflate64"),
    unsafe("bzip2", packed_with(zipfile.ZIP_BZIP2), "packed with bzip2"),
    unsafe("LZMA", packed_with(zipfile.ZIP_LZMA), "packed with LZMA"),
    unsafe("XZ", users(method=95, body=lzma.compress(USERS.data)), "packed with XZ"),
    unsafe("Zstandard", users(method=93, body=ZSTANDARD), "packed with Zstandard"),
]  # fmt: skip
