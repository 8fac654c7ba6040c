"""gzip files in memory: written in blocks that threads share, and read up to a bound.

Measured with the MNI152 brain at 1 mm (8.7 million voxels) on one core of a shared machine, in ms
and relative to the size by zlib at level 6, the default of gzip:

    ============= =========== =========== =========== ============ ============ ============
    volume        zlib 1      zlib 6      isal 2      zlib-ng 4    zlib-ng 5    zlib-ng 6
    ============= =========== =========== =========== ============ ============ ============
    int16         109  1.033  264         20  0.992   78  0.981    92   0.972   101  0.972
    int16, noisy  244  1.096  1425        61  1.088   301 1.016    359  1.003   703  0.984
    float32       308  1.031  432         34  1.005   196 0.996    156  0.996   161  0.996
    uint8 labels  30   1.641  103         6   1.497   27  1.140    29   1.027   53   0.977
    ============= =========== =========== =========== ============ ============ ============

zlib-ng at level 5 is the fastest whose files are never more than 5 % larger, at a quarter to a
third of zlib's time; isal makes labels half as large again. To read takes 30 to 65 ms by zlib-ng
and 69 to 146 ms by zlib. Without zlib-ng, zlib at level 6 is used.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .safety import FileError

# Compressed apart, each with the end of the one before it as its dictionary, as pigz does: the
# bytes are the same for any number of threads, and 0.1 % more than those of one block.
BLOCK_BYTES = 2**20
WINDOW_BYTES = 2**15

# As written by gzip: no name, no time, so that the same voxels make the same bytes; unknown system.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
RAW, MEMBER = -15, 31  # how zlib names a stream without a header, and one of gzip

CHUNK = 2**16  # what is read at once; of gzip it makes at most 64 MiB
MAX_PIECE = 2**22

# Bytes, or what is read like them.
Buffer = bytes | memoryview

# How to do independent calls: `map`, or that of a pool of threads.
Map = Callable[..., Iterable[Any]]


def library() -> tuple[Any, int, str]:
    """The module that compresses, the level that it is given, and its name for manifests."""
    try:
        import zlib_ng
        from zlib_ng import zlib_ng as found
    except ModuleNotFoundError:
        return zlib, 6, f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return found, 5, f"zlib-ng {zlib_ng.__version__}"


def gzip_bytes(content: Buffer, run: Map = map) -> bytes:
    """Return the bytes of a gzip file of one member.

    Parameters
    ----------
    content : bytes
        What to compress.
    run : function
        `map`, or that of a pool of threads, which then share the blocks.
    """
    deflate, level, _ = library()
    view = memoryview(content)
    starts = range(0, len(view), BLOCK_BYTES)

    def compressed(start: int) -> bytes:
        before = bytes(view[max(0, start - WINDOW_BYTES) : start])
        options = {"zdict": before} if before else {}
        compressor = deflate.compressobj(level, deflate.DEFLATED, RAW, **options)
        stop = start + BLOCK_BYTES
        end = deflate.Z_FINISH if stop >= len(view) else deflate.Z_SYNC_FLUSH
        return bytes(compressor.compress(view[start:stop]) + compressor.flush(end))

    blocks = [*run(compressed, starts)] if starts else [compressed(0)]
    trailer = struct.pack("<II", deflate.crc32(view), len(view) & 0xFFFFFFFF)
    return b"".join([GZIP_HEADER, *blocks, trailer])


def gzip_content(path: Path, compressed: bytes, bound: Callable[[bytes], int]) -> bytes:
    """Return what a gzip file holds, whose checksums are right.

    Parameters
    ----------
    path : Path
        For errors.
    compressed : bytes
        All of the file.
    bound : function
        Given the first bytes of the content, the largest number of bytes that it may have. It may
        raise a `FileError`.

    Raises
    ------
    FileError
        If it is damaged, cut short, or holds more.
    """
    return b"".join(gzip_pieces(path, compressed, bound))


def gzip_length(path: Path, compressed: bytes, longest: int) -> int:
    """Return how many bytes a gzip file holds, whose checksums are right; at most `longest`."""
    return sum(map(len, gzip_pieces(path, compressed, lambda _: longest)))


def gzip_pieces(path: Path, compressed: bytes, bound: Callable[[bytes], int]) -> Iterator[bytes]:
    """`gzip_content`, piece by piece."""
    inflate, _, _ = library()
    found = limit = 0
    view, at, given = memoryview(compressed), 0, b""
    stream = inflate.decompressobj(MEMBER)
    try:
        while given or at < len(view):
            if not given:
                given, at = bytes(view[at : at + CHUNK]), at + CHUNK
            if stream.eof:  # another member, or zeros that some writers pad the end with
                given = given.lstrip(b"\0")
                if not given:
                    continue
                stream = inflate.decompressobj(MEMBER)
            piece = stream.decompress(given, MAX_PIECE)
            given = stream.unused_data if stream.eof else stream.unconsumed_tail
            if piece and not found:
                limit = bound(piece)
            found += len(piece)
            if found > limit:
                raise FileError(str(path), f"holds more than the {limit} bytes of its header")
            yield piece
    except (zlib.error, inflate.error) as error:
        raise FileError(str(path), f"is damaged: {error}") from None
    if not stream.eof:
        raise FileError(str(path), "is cut short: its compressed data has no end")
