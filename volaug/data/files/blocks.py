"""Where the voxels of NRRD and MetaImage files are, and whether compressed ones are undamaged.

ITK does not compare their checksums.
"""

import bz2
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from .safety import FileError, naming, opened, state_of

CHUNK = 2**16
MAX_HEADER_BYTES = 2**20

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

# The field of a header that says whether voxels are compressed, and how it says so.
ENCODINGS = {
    "encoding": ("gzip", "gz", "bzip2", "bz2"),  # of NRRD
    "compresseddata": ("true",),  # of MetaImage
}
# The field that says in which file the voxels are; LOCAL, or none, is behind the header.
PLACES = ("elementdatafile", "data file", "datafile")


class Block(NamedTuple):
    """Where the voxels of an image are."""

    file: Path
    offset: int  # in bytes, if they are behind the header
    encoding: str  # empty if they are not compressed


def voxels_of(path: Path) -> Block:
    """The block of voxels of an image, after a look at its checksum.

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
            break  # the header of a NRRD ends with an empty line, that of a MetaImage with this one
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
    """Take compressed voxels apart to their end, where the checksum is."""
    apart: Any = zlib.decompressobj(47)  # with the header of zlib, or that of gzip
    if block.encoding.startswith("bz"):
        apart = bz2.BZ2Decompressor()
    with opened(block.file) as (stream, _):
        stream.seek(block.offset)
        while not apart.eof:
            chunk = stream.read(CHUNK)
            if not chunk:
                raise EOFError("is cut short: its compressed voxels have no end")
            apart.decompress(chunk)
