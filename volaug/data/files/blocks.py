"""Find the voxels in NRRD and MetaImage files, and check the checksums of compressed ones.

ITK does not check them.
"""

import bz2
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from .safety import FileError, naming, opened, state_of

CHUNK = 2**16
MAX_HEADER_BYTES = 2**20

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

# Fields of a header that say how voxels are encoded, and the values for compressed voxels.
ENCODINGS = {
    "encoding": ("gzip", "gz", "bzip2", "bz2"),  # in NRRD
    "compresseddata": ("true",),  # in MetaImage
}
# Fields of a header that name the file of the voxels. If it is LOCAL, or if there is no such field,
# they are in the same file, after the header.
PLACES = ("elementdatafile", "data file", "datafile")


class Block(NamedTuple):
    """Where the voxels of an image are."""

    file: Path
    offset: int  # in bytes; 0 if they have a file of their own
    encoding: str  # empty if they are not compressed


def voxels_of(path: Path) -> Block:
    """The block of voxels of an image, whose checksum is right if it has one.

    Raises
    ------
    FileError
        If it is damaged, or is not one regular file.
    """
    block = _block(path)
    with naming(block.file):
        state_of(block.file)
        if block.encoding:
            _check(block)
    return block


def _block(path: Path) -> Block:
    with opened(path) as (stream, _):
        text = stream.read(MAX_HEADER_BYTES)
    values, offset = {}, 0
    for line in text.splitlines(keepends=True):
        offset += len(line)
        name, _, value = line.decode("latin-1").replace("=", ":", 1).partition(":")
        name = name.strip().lower()
        values[name] = value.strip()
        if not line.strip() or name == PLACES[0]:
            break  # a header of NRRD ends with an empty line, one of MetaImage with this field
    encoding = next(
        (values[field].lower() for field, words in ENCODINGS.items()
         if values.get(field, "").lower() in words),
        "",
    )  # fmt: skip
    place = next((values[field] for field in PLACES if field in values), "LOCAL")
    if place == "LOCAL":
        return Block(path, offset, encoding)
    if place.startswith("LIST") or "%" in place:
        raise FileError(str(path), f"must have its voxels in one file, got {place!r}")
    return Block(path.parent / place, 0, encoding)


def _check(block: Block) -> None:
    """Decompress voxels to their end, where the checksum is."""
    decompressor: Any = zlib.decompressobj(47)  # takes headers of zlib and of gzip
    if block.encoding.startswith("bz"):
        decompressor = bz2.BZ2Decompressor()
    with opened(block.file) as (stream, _):
        stream.seek(block.offset)
        while not decompressor.eof:
            chunk = stream.read(CHUNK)
            if not chunk:
                raise EOFError("is cut short: its compressed voxels have no end")
            decompressor.decompress(chunk)
