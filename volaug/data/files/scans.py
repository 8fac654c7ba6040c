"""A file with all that it carries, read once, and copies of it with other voxels."""

import gzip
import hashlib
import math
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from .atomic import replacing, write_new
from .compressed import (
    COMPRESSED,
    HEADER_BYTES,
    MAX_PADDING,
    content_bound,
    decompressed,
    read_bytes,
)
from .deflate import Buffer, Map, gzip_bytes, gzip_length
from .encoding import stored_voxels
from .itk import ItkImage
from .nibabel_files import NibabelImage
from .npy import Npy, npy_content
from .opening import affine_of, open_volume
from .safety import FileError, naming, opened, state_of
from .zarr_folder import ZarrFolder, is_zarr, replacing_folder

Array = npt.NDArray[Any]

# What copies of a format are written as. Two files become the one of the same format; a format
# that nothing writes becomes NIfTI.
SUFFIXES = {
    ".nii.gz": ".nii.gz", ".nii": ".nii", ".mgz": ".mgz", ".mgh": ".mgh", ".npy": ".npy",
    ".nrrd": ".nrrd", ".nhdr": ".nrrd", ".mha": ".mha", ".mhd": ".mha",
    ".zarr": ".zarr",
    ".nii.bz2": ".nii.gz", ".img.gz": ".nii.gz", ".img": ".nii", ".head": ".nii.gz",
    ".par": ".nii.gz", ".mnc": ".nii.gz",
}  # fmt: skip
DICOM = ".nii.gz"

# Formats of one part that are read into memory, and decompressed once.
IN_MEMORY = (*COMPRESSED, ".nii", ".mgh")

# The other file of an image of two, by the suffix of the first.
PARTNERS = {
    ".img": (".hdr", ".mat"), ".head": (".brik", ".brik.gz"), ".par": (".rec",),
    ".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz"),
}  # fmt: skip


class Scan(NamedTuple):
    """A file that was read.

    Attributes
    ----------
    path : Path
    volume : object
        Sliced like an array, as `open_volume` returns it.
    sha256 : str
        Of its bytes; of several files, in the order of `parts_of`.
    """

    path: Path
    volume: Any
    sha256: str


def suffix_of(path: Path) -> str:
    """The suffix of a file by which its format is known, as it is written; or an empty text."""
    name = path.name.lower()
    found = max((s for s in SUFFIXES if name.endswith(s) and name != s), key=len, default="")
    return path.name[len(path.name) - len(found) :]


def stem_of(path: Path) -> str:
    """The name of a file without its suffix."""
    return path.name.removesuffix(suffix_of(path))


def suffix_of_copy(path: Path) -> str:
    """The suffix of copies of a file, or of a folder of DICOM files."""
    suffix = suffix_of(path)
    wanted = SUFFIXES.get(suffix.lower(), DICOM)
    return suffix if suffix.lower() == wanted else wanted


def parts_of(file: Path) -> list[Path]:
    """The files that an image consists of: a folder of Zarr or of DICOM files, or a pair."""
    if file.is_dir() and is_zarr(file):
        return sorted(path for path in file.rglob("*") if path.is_file())
    if file.is_dir():
        return sorted(path for path in file.iterdir() if path.is_file())
    partners = PARTNERS.get(suffix_of(file).lower(), ())
    ends = [end for partner in partners for end in (partner, partner.upper())]
    others = {file.with_suffix(end) for end in ends}
    return [file, *sorted(path for path in others if path.exists())]


def written_files(path: Path) -> list[Path]:
    """The files of a copy: itself, or those in a folder of Zarr."""
    return parts_of(path) if path.is_dir() else [path]


def read_scan(path: Path, computing: AbstractContextManager[Any] | None = None) -> Scan:
    """Read a file.

    Parameters
    ----------
    path : Path
    computing : context manager, optional
        What is held while a processor is busy, and not while the disk is.

    Raises
    ------
    FileError
        If it is damaged or cut short, not a regular file, or not a volume of numbers; or if its
        header declares more than it can hold, before memory is allocated.
    """
    suffix = suffix_of(path).lower()
    if suffix not in IN_MEMORY:
        volume = open_volume(path)
        return Scan(path, volume, sha256_of(*parts_of(path)))
    stored = read_bytes(path)
    with computing or nullcontext(), naming(path):
        digest = hashlib.sha256(stored).hexdigest()
        content = decompressed(path, stored) if suffix in COMPRESSED else stored
        if not content:
            raise FileError(str(path), "is empty")
        volume = NibabelImage(path, content)
        affine_of(volume, path)
    return Scan(path, volume, digest)


def write_scan(
    scan: Scan,
    voxels: Array,
    start: tuple[int, int, int],
    target: Path,
    run: Map = map,
    computing: AbstractContextManager[Any] | None = None,
) -> str:
    """Write a copy of a file with other voxels, whole or not at all, and read it back.

    Parameters
    ----------
    scan : Scan
        The file that is copied: its header, dtype, scale and place are the copy's.
    voxels : (n0, n1, n2) or (C, n0, n1, n2) array
        New voxels, in the order of axes of the file.
    start : (3,) ints
        The voxel of the file at which the new voxels begin.
    target : Path
        File to write, whose suffix is `suffix_of_copy`.
    run : function
        `map`, or that of a pool of threads, which then share the compression.
    computing : context manager, optional
        What is held while a processor is busy, and not while the disk is.

    Returns
    -------
    str
        The SHA-256 of the bytes of the copy.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left then.
    """
    with computing or nullcontext():
        stored = _stored(scan, voxels, start, target, run)
    if isinstance(scan.volume, ZarrFolder):
        with replacing_folder(target) as partial:
            values = stored_voxels(voxels, scan.volume.dtype).voxels
            scan.volume.write_copy(partial, values, start)
        return sha256_of(*parts_of(target))
    with replacing(target) as partial:
        if stored is None:
            from .itk_writing import write_itk

            write_itk(scan.volume, voxels, start, partial)
            _check_itk(partial, scan, voxels)
            return sha256_of(partial)
        write_new(partial, stored)
        digest = hashlib.sha256(stored).hexdigest()
        if sha256_of(partial) != digest:
            raise OSError(f"{target}: the disk returns other bytes than were written")
    return digest


def _stored(
    scan: Scan, voxels: Array, start: tuple[int, int, int], target: Path, run: Map
) -> Buffer | None:
    """The bytes of a copy; None if another library writes it."""
    content = _content(scan, voxels, start)
    if content is None or not target.name.lower().endswith((".gz", ".mgz")):
        return content
    compressed = gzip_bytes(content, run)
    # its checksum is that of the content, and is compared with what is decompressed
    if gzip_length(target, compressed, len(content)) != len(content):
        raise OSError(f"{target}: the compressed bytes are not those that were written")
    return compressed


def copy_file(source: Path, target: Path) -> str:
    """Copy a file as it is, whole or not at all, and return its SHA-256."""
    stored = read_bytes(source)
    with replacing(target) as partial:
        write_new(partial, stored)
    return hashlib.sha256(stored).hexdigest()


def sha256_of(*paths: Path) -> str:
    """The SHA-256 of the bytes of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with opened(path) as (stream, _), naming(path):
            while part := stream.read(2**22):
                digest.update(part)
    return digest.hexdigest()


def declared_bytes(path: Path) -> int:
    """How many bytes the voxels of a file have, by its header if it is compressed.

    Of formats whose header only their library reads, the bytes of the file.
    """
    if suffix_of(path).lower() in COMPRESSED:
        with naming(path), gzip.open(path) as stream:
            return content_bound(path, stream.read(HEADER_BYTES)) - MAX_PADDING
    if is_zarr(path):
        volume = ZarrFolder(path)
        return math.prod(volume.shape) * int(volume.dtype.itemsize)
    return sum(state_of(part).size for part in parts_of(path))


def _content(scan: Scan, voxels: Array, start: tuple[int, int, int]) -> Buffer | None:
    """What a copy holds, decompressed; None if another library writes it."""
    volume, suffix = scan.volume, suffix_of(scan.path).lower()
    if isinstance(volume, Npy):
        return npy_content(volume, voxels)
    if isinstance(volume, ZarrFolder) or (isinstance(volume, ItkImage) and suffix):
        return None
    from . import nifti_writing

    if suffix in (".mgh", ".mgz"):
        return nifti_writing.mgh_content(volume, voxels, start)
    if suffix in IN_MEMORY:
        return nifti_writing.nifti_content(volume, voxels, start)
    return nifti_writing.new_nifti_content(volume, voxels, start)


def _check_itk(partial: Path, scan: Scan, voxels: Array) -> None:
    """Read back what SimpleITK wrote."""
    with naming(partial):
        found = ItkImage(partial)
    if found.shape != voxels.shape or found.dtype != scan.volume.dtype:
        raise OSError(f"{os.fspath(partial)}: SimpleITK reads other voxels than it wrote")
