"""Copies of files that nibabel reads, with all that the header carries."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from ...warping.geometry.bspline import Floats
from .compressed import image_class
from .encoding import stored_voxels
from .nibabel_files import NibabelImage

Array = npt.NDArray[Any]
Start = tuple[int, int, int]

SCANNER = 1  # NIfTI's code for the coordinates of the scanner


def nifti_content(source: NibabelImage, voxels: Array, start: Start) -> memoryview:
    """Return what a NIfTI file holds that is a copy of one with other voxels.

    Parameters
    ----------
    source : NibabelImage
        A NIfTI file of one part, with its content.
    voxels : (n0, n1, n2) or (C, n0, n1, n2) array
        New voxels, in the order of axes of the source.
    start : (3,) ints
        The voxel of the source at which the new voxels begin: its place in the world is theirs.

    Returns
    -------
    memoryview
        The header with its extensions, and the voxels.
    """
    header = _header_of(source)
    slope, intercept = header.get_slope_inter()
    is_scaled = slope is not None
    dtype = header.get_data_dtype()
    stored = stored_voxels(voxels, dtype, slope if is_scaled else 1.0, intercept or 0.0)
    if is_scaled and (stored.slope, stored.intercept) != (slope, intercept):
        header.set_slope_inter(stored.slope, stored.intercept)
    head = _head(header, voxels.shape, start)
    content = np.zeros(len(head) + stored.voxels.size * dtype.itemsize, np.uint8)
    content[: len(head)] = np.frombuffer(head, np.uint8)
    # the first axis is the fastest, channels the slowest
    last = channels_last(stored.voxels)
    np.ndarray(last.shape, dtype, content.data, len(head), order="F")[...] = last
    return content.data


def nifti_head(source: NibabelImage, shape: tuple[int, ...], start: Start) -> bytes:
    """What comes before the voxels in a copy of a NIfTI file; the rest is as in `nifti_content`."""
    return _head(_header_of(source), shape, start)


def _header_of(source: NibabelImage) -> Any:
    assert source.content is not None
    kind = image_class(source.path, source.content)
    # nibabel takes the scale out of the header of an image
    return kind.header_class.from_fileobj(io.BytesIO(source.content))


def _head(header: Any, shape: tuple[int, ...], start: Start) -> bytes:
    """The header with its extensions, up to the voxels, of which the file has this shape."""
    _set_shape(header, shape[-3:])
    if any(start):
        _move_origin(header, start)
    stream = io.BytesIO()
    header.write_to(stream)
    return stream.getvalue().ljust(int(header["vox_offset"]), b"\0")


def _set_shape(header: Any, spatial: tuple[int, ...]) -> None:
    shape = header.get_data_shape()
    if shape[:3] != spatial:
        header.set_data_shape((*spatial, *shape[3:]))


def _move_origin(header: Any, start: Start) -> None:
    """Let the first voxel lie where the voxel `start` lay, by both of the header's matrices."""
    from nibabel.spatialimages import HeaderDataError

    for name in ("srow_x", "srow_y", "srow_z"):
        values = header[name].astype(np.float64)
        header[name][3] = values[3] + values[:3] @ start
    try:
        turned = header.get_qform()[:3, :3] @ start
    except HeaderDataError:  # a quaternion that is none, of a header that does not use it
        return
    for name, moved in zip(("qoffset_x", "qoffset_y", "qoffset_z"), turned, strict=True):
        header[name] = float(header[name]) + moved


def mgh_content(source: NibabelImage, voxels: Array, start: Start) -> bytes:
    """Return what is in an MGH file that is a copy of one with other voxels."""
    from nibabel import MGHImage

    affine = moved(source.affine, start)
    values = stored_voxels(voxels, np.dtype(source.header.get_data_dtype())).voxels
    image = MGHImage(channels_last(values), affine, source.header)
    return bytes(image.to_bytes())


def new_nifti_content(source: Any, voxels: Array, start: Start) -> bytes:
    """Return what is in a NIfTI file of a volume that came in another format.

    Its header has the shape, the dtype and the place.
    """
    from nibabel import Nifti1Image

    affine = moved(source.affine, start)
    # NIfTI has no bool; and nibabel wants to be told that 64 bits are meant
    values = voxels.astype(np.uint8) if voxels.dtype == bool else voxels
    image = Nifti1Image(channels_last(values), affine, dtype=values.dtype)
    image.set_sform(affine, code=SCANNER)
    image.set_qform(affine, code=SCANNER)
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


def channels_last(voxels: Array) -> Array:
    """Channels at the end, as nibabel has them."""
    return np.moveaxis(voxels, 0, -1) if voxels.ndim == 4 else voxels


def moved(affine: Floats, start: Start) -> Floats:
    """The affine of what begins at a voxel."""
    result = np.array(affine, np.float64)
    result[:3, 3] += result[:3, :3] @ start
    return result
