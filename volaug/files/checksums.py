"""Compressed voxels of NRRD and MetaImage files, whose checksums ITK does not compare."""

import bz2
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple

from .safety import naming, opened

CHUNK = 2**16
LONGEST_HEADER = 2**20

# What begins the field of a header, what it says of compressed voxels, and where these are.
NRRD = ("encoding", ("gzip", "gz", "bzip2", "bz2"), "data file")
META = ("compresseddata", ("true",), "elementdatafile")


class Block(NamedTuple):
    """Where the compressed bytes of an image are, and what takes them apart."""

    path: Path
    offset: int
    decompressor: Any


def check_compressed(path: Path) -> None:
    """Read the compressed voxels of an image to their end, where the checksum is."""
    suffix = path.suffix.lower()
    if suffix not in (".nrrd", ".nhdr", ".mha", ".mhd"):
        return
    with opened(path) as (stream, _):
        block = _block(path, stream, *(NRRD if suffix in (".nrrd", ".nhdr") else META))
    if block is None:
        return
    with naming(block.path), opened(block.path) as (stream, _):
        stream.seek(block.offset)
        while not block.decompressor.eof:
            chunk = stream.read(CHUNK)
            if not chunk:
                raise EOFError("is cut short: its compressed voxels have no end")
            block.decompressor.decompress(chunk)


def _block(
    path: Path, stream: IO[bytes], field: str, words: tuple[str, ...], place: str
) -> Block | None:
    """Of an image in one block; None if it is not compressed, or is in several files."""
    text = stream.read(LONGEST_HEADER)
    values, offset = {}, 0
    for line in text.splitlines(keepends=True):
        offset += len(line)
        name, _, value = line.decode("latin-1").replace("=", ":", 1).partition(":")
        values[name.strip().lower()] = value.strip()
        if not line.strip() or name.strip().lower() == "elementdatafile":
            break  # the header of a NRRD ends with an empty line, of a MetaImage with this one
    encoding = values.get(field, "").lower()
    if encoding not in words:
        return None
    file = values.get(place, values.get(place.replace(" ", ""), "LOCAL"))
    found = path if file == "LOCAL" else path.parent / file
    if not found.is_file():
        return None  # a list or a pattern of files
    apart = bz2.BZ2Decompressor() if encoding.startswith("bz") else zlib.decompressobj(47)
    return Block(found, offset if file == "LOCAL" else 0, apart)
