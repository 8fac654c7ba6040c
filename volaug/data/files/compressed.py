"""What a file of one part holds, decompressed: NIfTI and MGH."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .deflate import gzip_content, gzip_pieces
from .safety import FileError, opened, reading

# Those that are compressed by gzip.
COMPRESSED = (".nii.gz", ".mgz")

# Enough for the header of each of them.
HEADER_BYTES = 2**12

# Some writers add bytes after the voxels. If there are more than this, the header is wrong.
MAX_PADDING = 2**24


def read_bytes(path: Path) -> bytes:
    """All bytes of a regular file."""
    with opened(path) as (stream, state), reading(path, {path: state}):
        parts = []
        while part := stream.read(2**26):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def decompressed(path: Path, stored: bytes) -> bytes:
    """What a file holds, given all of its bytes, if it is one of `COMPRESSED`."""
    return gzip_content(path, stored, lambda head: content_bound(path, head))


def decompressed_part(path: Path, stored: bytes, first: int, stop: int) -> npt.NDArray[np.uint8]:
    """Bytes first..stop of what a file of `COMPRESSED` holds, given all of its bytes.

    Python's lock is free meanwhile. nibabel decompresses a part in many small pieces: with two
    threads that took 4.7 times as long for a patch of 128^3 of a brain at 1 mm (zlib-ng).
    """
    part, at = np.empty(stop - first, np.uint8), 0  # whose assignments need no lock
    for piece in gzip_pieces(path, stored, lambda head: content_bound(path, head)):
        low, high = max(at, first), min(at + len(piece), stop)
        if low < high:
            voxels = np.frombuffer(piece, np.uint8)
            part[low - first : high - first] = voxels[low - at : high - at]
        at += len(piece)
        if at >= stop:
            return part
    raise FileError(str(path), f"is cut short: got {at} of {stop} bytes")


def content_bound(path: Path, head: bytes) -> int:
    """How many bytes a file may have at most, decompressed, by its header."""
    header = image_class(path, head).header_class.from_fileobj(io.BytesIO(head[:HEADER_BYTES]))
    voxels = int(np.prod(header.get_data_shape(), dtype=object))
    itemsize = int(header.get_data_dtype().itemsize)
    return int(header.get_data_offset()) + voxels * itemsize + MAX_PADDING


def image_class(path: Path, content: bytes) -> Any:
    """The class of nibabel's for a file of one part: NIfTI 1 or 2, or MGH.

    Parameters
    ----------
    path : Path
        For errors.
    content : bytes
        The first bytes of the file, decompressed.
    """
    from nibabel import MGHImage, Nifti1Image, Nifti2Image

    for kind in (Nifti1Image, Nifti2Image):
        # sizeof_hdr says which of the two it is, in either byte order
        size = kind.header_class.sizeof_hdr
        if {content[:4]} & {size.to_bytes(4, "little"), size.to_bytes(4, "big")}:
            return kind
    if content[:4] == (1).to_bytes(4, "big"):  # the version of MGH
        return MGHImage
    raise FileError(str(path), "must be a NIfTI or MGH file, got something else")
