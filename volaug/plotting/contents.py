"""What of a sample is drawn: one channel of an image, its label, its points and its words."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import checks
from ..pipeline.description import description
from ..pipeline.drawn_words import words_of_record
from ..pipeline.record import Record, Sample
from ..pipeline.targets import KINDS, Shape, Target, check_grid, common_grid
from ..serialization import check_names, shown
from ..warping.geometry.bspline import Floats

Array = npt.NDArray[Any]
Voxel = tuple[int, int, int]


class Contents(NamedTuple):
    """What a figure shows of a sample."""

    title: str
    volume: Array  # (n0, n1, n2)
    label: Array | None  # (n0, n1, n2) or (C, n0, n1, n2); coarser if the first of a pyramid is
    points: Floats  # (N, 3), in voxels
    at: Voxel  # through which the slices go
    spacing: tuple[float, ...]
    affine: Floats | None
    details: str  # of the arrays and of what was drawn
    words: str  # what was drawn, in plain words
    unit: str  # of the spacing: "mm", or "voxels" where it is not known
    heading: str  # which draw it is
    is_normalized: bool  # whether its gray levels are others than those of the input


def contents_of(sample: Any, image: Any, channel: Any, at: Any, affine: Any) -> Contents:
    """Return what is drawn, of the checked arguments of `plot`."""
    if not isinstance(sample, Mapping):
        raise TypeError(
            "sample must be a Sample, or a mapping from names to arrays such as "
            f'{{"image": image}}, got {type(sample).__name__}'
        )
    record = getattr(sample, "record", None) if isinstance(sample, Sample) else None
    kinds = {name: kind_of(name, sample[name], record.targets if record else {}) for name in sample}
    images, labels, points = (
        [name for name, kind in kinds.items() if kind == wanted]
        for wanted in ("image", "label", "points")
    )
    if not images:
        raise ValueError(
            "sample must have an image, which is an array (n0, n1, n2) or (C, n0, n1, n2) by its "
            f"name, got {', '.join(map(shown, sample)) or 'nothing'}"
        )
    name = images[0] if image is None else image
    check_names("image", [name], images)
    volume, title = channel_of(name, checks.as_volume(sample[name], name), channel)
    shape = common_grid({name: volume})
    label = label_of(labels[0], sample[labels[0]], shape) if labels else None
    matrix, spacing = grid_of(sample, affine)
    knows_size = matrix is not None or sample.get("spacing") is not None
    return Contents(
        title,
        volume,
        label,
        np.concatenate([np.empty((0, 3)), *(points_of(name, sample[name]) for name in points)]),
        as_voxel(at, shape),
        spacing,
        matrix,
        description(sample, record) if record else "",
        "\n".join(words_of_record(record)) if record else "",
        "mm" if knows_size else "voxels",
        heading_of(record),
        bool(getattr(sample, "rescalings", None)),
    )


def heading_of(record: Record | None) -> str:
    """Say which draw it is."""
    if record is None:
        return "Original"
    key = record.key
    return f"Draw {key.index}" if key.epoch == 0 else f"Draw {key.index} of epoch {key.epoch}"


def kind_of(name: Any, value: Any, targets: Mapping[str, Target]) -> str | None:
    """Return the kind of a target: as the record says, by its name, or an image by its axes."""
    if name in targets:
        return targets[name].kind
    if name in KINDS:
        return str(name)
    has_voxels = getattr(value, "ndim", 0) in (3, 4)
    return "image" if has_voxels and isinstance(name, str) else None


def channel_of(name: str, volume: Array, channel: Any) -> tuple[Array, str]:
    """Return a channel of an image, and its title."""
    if volume.ndim == 3:
        volume = volume[np.newaxis]
    number = checks.as_whole(f"channel of {name!r}", channel, 0, len(volume) - 1)
    title = f"{name}, channel {number} of 0 to {len(volume) - 1}" if len(volume) > 1 else name
    return volume[number], title


def label_of(name: str, value: Any, shape: Shape) -> Array:
    """Return a label of the image's shape, or the first level of a pyramid."""
    if isinstance(value, list) and getattr(value[0] if value else None, "ndim", 0) in (3, 4):
        return checks.as_volume(value[0], f"{name}[0]")
    label = checks.as_volume(value, name)
    check_grid({name: label}, shape, "that of the image")
    return label


def points_of(name: str, value: Any) -> Floats:
    """Return the points that have a place: a fold can lose one, which is NaN."""
    points = checks.as_array(name, value)
    if points.ndim == 2 and points.dtype.kind == "f":
        points = points[np.isfinite(points).all(axis=1)]
    return checks.as_points(points)


def grid_of(sample: Mapping[str, Any], affine: Any) -> tuple[Floats | None, tuple[float, ...]]:
    """Return the affine, if it is known, and the size of a voxel: 1 if that is not."""
    affine = sample.get("affine") if affine is None else affine
    if affine is not None:
        matrix = checks.as_world(affine)
        return matrix, tuple(np.linalg.norm(matrix[:3, :3], axis=0).tolist())
    spacing = sample.get("spacing")
    return None, tuple(checks.as_spacing((1, 1, 1) if spacing is None else spacing).tolist())


def as_voxel(at: Any, shape: Shape) -> Voxel:
    """Return a voxel of a volume: by default, the one in its middle."""
    if at is None:
        at = tuple(length // 2 for length in shape)
    try:
        i, j, k = at
    except (TypeError, ValueError):
        raise TypeError(f"at must be the three indices of a voxel, got {shown(at)}") from None
    i, j, k = (
        checks.as_whole(f"at[{axis}]", index, 0, shape[axis] - 1)
        for axis, index in enumerate((i, j, k))
    )
    return i, j, k
