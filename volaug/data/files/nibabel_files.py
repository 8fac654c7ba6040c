"""Images that nibabel reads: NIfTI, MGH, Analyze, AFNI, PAR/REC and MINC."""

import bz2
import functools
import gzip
import io
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .compressed import (
    COMPRESSED as ONE_GZIP,
    MAX_PADDING,
    decompressed_part,
    image_class,
    read_bytes,
)
from .safety import FileError, State, check_length, naming, reading, state_of

Array = npt.NDArray[Any]

# How to open files that are compressed as a whole, by their suffix, as nibabel does.
COMPRESSED: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".mgz": gzip.open,
    ".bz2": bz2.open,
}

# Suffixes of images that consist of several files.
COMPANIONS = (".hdr", ".img", ".mat", ".par", ".rec", ".head", ".brik")

# gzip makes one byte of at most this many.
MAX_GZIP_RATIO = 1032

CHUNK = 2**20


NIFTI_CODES = ("qform_code", "sform_code")


def _is_nifti(image: Any) -> bool:
    return all(code in getattr(image.header, "keys", tuple)() for code in NIFTI_CODES)


class NibabelImage:
    """An image that nibabel reads, channels first, sliced like an array.

    nibabel scales its voxels: it knows how each format does that.

    Attributes
    ----------
    shape : tuple of ints
        ``(n0, n1, n2)`` or ``(C, n0, n1, n2)``.
    dtype : numpy.dtype
        As stored; float32 if voxels are scaled.
    affine : (4, 4) array
        From voxels to mm.
    header : nibabel header
        All else that the file says, without the scale of its voxels.
    is_placed : bool
        Whether the file says where it lies. If a NIfTI file does not (both qform_code and
        sform_code are 0), nibabel makes up an affine.

    Parameters
    ----------
    path : Path
        File, or one of the files that it consists of.
    content : bytes, optional
        What the file holds, decompressed. It is then not read.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self.path, self.content = path, content
        with naming(path):
            if content is None:
                _check_companions(path)
            image = _loaded(path, content)
            from nibabel.arrayproxy import ArrayProxy

            self._check(image)
            self.states = _states(image, path) if content is None else {}
            self._check_bytes(image)
            first = np.asarray(image.dataobj[(slice(0, 1),) * len(image.shape)])
            stored = np.dtype(image.get_data_dtype()).newbyteorder("=")
            delivered = first.dtype.newbyteorder("=")
            self.dtype = stored if delivered == stored else np.dtype(np.float32)
            self.affine, self.header = np.asarray(image.affine, np.float64), image.header
            codes = [image.header[c] for c in NIFTI_CODES] if _is_nifti(image) else [1]
            self.is_placed = any(int(code) != 0 for code in codes)
        self._is_one_gzip = path.name.lower().endswith(ONE_GZIP)
        self._proxy = image.dataobj if type(image.dataobj) is ArrayProxy else None
        n0, n1, n2, *others = (int(n) for n in image.shape)
        # channels may be the fifth axis of NIfTI; then the fourth, time, has length 1
        self._channels = tuple(n for n in others if n > 1)
        self.shape = (*self._channels, n0, n1, n2)

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        slices = window[1:] if isinstance(window, tuple) else ()
        with reading(self.path, self.states):
            part = self._part(slices)
            part = part.reshape(*part.shape[:3], *self._channels)
            if self._channels:
                part = np.moveaxis(part, -1, 0)
            return part.astype(self.dtype, copy=False)

    def _part(self, slices: tuple[Any, ...]) -> Array:
        """A part of the voxels in the order of axes of the file.

        nibabel's objects are new each time: they have a lock, which a forked child could find
        taken, and for some formats an open file. To open an image takes 0.6 ms, to copy its proxy
        13 us.
        """
        proxy = self._proxy
        if proxy is None:
            return np.asarray(_loaded(self.path, self.content).dataobj[(*slices, ...)])
        is_scaled = (proxy.slope, proxy.inter) != (1.0, 0.0)
        if self.content is None and self._is_one_gzip and not is_scaled:
            return self._decompressed(proxy, slices)
        if self.content is None or is_scaled:
            return np.asarray(proxy.copy()[(*slices, ...)])
        stored: Array = np.ndarray(proxy.shape, proxy.dtype, self.content, proxy.offset, order="F")
        return stored[(*slices, ...)]

    def _decompressed(self, proxy: Any, slices: tuple[Any, ...]) -> Array:
        """A part of a file that gzip compresses as a whole: the planes along axis 2 that it needs.

        With channels, which are the last axis, all planes.
        """
        n0, n1, n2, *others = proxy.shape
        first, stop = 0, n2
        if slices and not self._channels:
            first, stop, _ = slices[2].indices(n2)
        plane = math.prod((n0, n1, *others)) * proxy.dtype.itemsize
        start = proxy.offset + first * plane
        content = decompressed_part(
            self.path, read_bytes(self.path), start, start + (stop - first) * plane
        )
        planes: Array = np.ndarray((n0, n1, stop - first, *others), proxy.dtype, content, order="F")
        if slices and self._channels:
            return planes[(*slices, ...)]
        return planes[(*slices[:2], ...)]

    def _check(self, image: Any) -> None:
        """Check that it is one volume of numbers."""
        from nibabel.minc1 import Minc1Image
        from nibabel.spatialimages import SpatialImage

        path = str(self.path)
        if not isinstance(image, SpatialImage):
            kind = type(image).__name__.removesuffix("Image").upper()
            raise FileError(path, f"must hold a volume, got another kind of data ({kind})")
        stored = np.dtype(image.get_data_dtype())
        if stored.fields:
            raise FileError(
                path, f"must hold numbers, got colors of {len(stored.fields)} parts: save each "
                "part as a channel"
            )  # fmt: skip
        if stored.kind == "c":
            raise FileError(
                path, "must hold real numbers, got complex ones: save magnitude, or real and "
                "imaginary part as channels"
            )  # fmt: skip
        shape = tuple(int(n) for n in image.shape)
        if len(shape) < 3 or sum(n > 1 for n in shape[3:]) > 1 or min(shape) < 1:
            raise FileError(
                path, f"must have three axes, and a fourth one for channels if any, got {shape}"
            )
        if len(shape) > 3 and isinstance(image, Minc1Image):
            raise FileError(path, f"must have three axes in a MINC file, got {shape}")

    def _check_bytes(self, image: Any) -> None:
        """Check that no voxel is missing, and the checksum of a file that has one."""
        declared, proxy = 0, image.dataobj
        if hasattr(proxy, "offset"):  # the voxels are one block
            declared = int(proxy.offset) + math.prod(map(int, proxy.shape)) * proxy.dtype.itemsize
        if self.content is not None:
            check_length(self.path, declared, len(self.content))
        for path, state in self.states.items():
            wanted = declared if path == _data_file(image, self.path) else 0
            if path.suffix.lower() in COMPRESSED:
                check_compressed(path, state, wanted)
            elif path.suffix.lower() != ".zst":
                check_length(path, wanted, state.size)


def _check_companions(path: Path) -> None:
    """Check that a file, and those that belong to it, can be opened without blocking."""
    state_of(path)
    stem, suffix = path, path.suffix.lower()
    if suffix in COMPRESSED:
        stem, suffix = path.with_suffix(""), path.with_suffix("").suffix.lower()
    if suffix in COMPANIONS:
        for end in itertools.product((*COMPANIONS, *map(str.upper, COMPANIONS)), ("", *COMPRESSED)):
            companion = stem.with_suffix("".join(end))
            if companion.exists():
                state_of(companion)


def _loaded(path: Path, content: bytes | None) -> Any:
    try:
        import nibabel
        from nibabel.fileholders import FileHolder
    except ImportError as error:
        raise FileError(
            str(path), "is read by nibabel, which is not installed: pip install 'volaug[files]'"
        ) from error
    if content is not None:
        return image_class(path, content).from_file_map(
            {"image": FileHolder(str(path), io.BytesIO(content))}
        )
    # not mapped into memory: if a mapped file becomes shorter, the process is killed
    return nibabel.load(path, mmap=False)


def _data_file(image: Any, path: Path) -> Path:
    return Path(image.file_map["image"].filename or path)


def _states(image: Any, path: Path) -> dict[Path, State]:
    """The states of all files that an image consists of."""
    names = {key: Path(holder.filename or path) for key, holder in image.file_map.items()}
    needed = [name for key, name in names.items() if key != "mat" or name.exists()]
    return {name: state_of(name) for name in needed}


@functools.lru_cache(2**14)  # read once, even if a function makes its case for each sample
def check_compressed(path: Path, state: State, declared: int) -> None:
    """Read a compressed file to its end, where its checksum is.

    Parameters
    ----------
    state : State
        State of the file. In the same state it is read only once.
    declared : int
        Number of bytes that must be in it at least.
    """
    opener = COMPRESSED[path.suffix.lower()]
    if opener is gzip.open and declared > MAX_GZIP_RATIO * state.size:
        raise FileError(
            str(path),
            f"its header declares {declared} bytes, which a file of {state.size} cannot hold",
        )
    found = 0
    with naming(path), opener(path) as stream:
        while chunk := stream.read(CHUNK):
            found += len(chunk)
            if declared and found > declared + MAX_PADDING:
                raise FileError(str(path), f"holds more than the {declared} bytes of its header")
    check_length(path, declared, found)
