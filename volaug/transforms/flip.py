"""Flip: the picture mirrored along axes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..keys import RandomStream
from ..warping.fusion import Fusion, Grid
from ..warping.geometry.anatomy import ANATOMY
from .base import SpatialOperation, Step
from .ranges import as_axes


@dataclass(frozen=True, repr=False)
class RandomFlip(Step):
    """Mirror the picture along axes, each of which is drawn for itself: ``a b c`` to ``c b a``.

    Parameters
    ----------
    axes : int, str, or tuple of ints or of strings
        Only these axes of the array, 0 to 2; or "LR" (left-right), "AP" (anterior-posterior) and
        "SI" (superior-inferior), which are looked up in the `affine` that the pipeline is called
        with. Use "LR" for heads; use no axis if labels tell left from right, as they do not
        change sides.
    p : float
        How likely each of the axes is flipped; 0.5 as in nnU-Net, which flips all three.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Exact: voxels are copied.

    "LR", "AP" and "SI" mean the array's axis that lies closest, by the rule of nibabel's
    `io_orientation`; of two at the same angle, the first one. Without an affine they mean axes 0,
    1 and 2, which is right for arrays from nibabel in canonical (RAS) order. It is wrong for
    arrays from SimpleITK, (z, y, x): give those an affine. The same key flips the same axes of
    the body in whatever order an array is stored.
    """

    axes: int | str | Sequence[int | str] = (0, 1, 2)
    p: float = field(default=0.5, kw_only=True)
    _axes: tuple[int, ...] = field(init=False, compare=False)
    _by_anatomy: bool = field(init=False, compare=False)

    def check(self) -> None:
        given = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        # "5" is no name, but a number of the wrong type
        by_anatomy = any(isinstance(axis, str) and axis[:1].isalpha() for axis in given)
        if by_anatomy:
            known = all(axis in ANATOMY for axis in given)
            if not known or len(set(given)) < len(given):
                raise ValueError(
                    "axes must be some of 0, 1, 2, or some of 'LR', 'AP', 'SI', each once, "
                    f"got {self.axes!r}"
                )
        axes = [ANATOMY.index(name) for name in given] if by_anatomy else given
        self._derive(_axes=as_axes(axes), _by_anatomy=by_anatomy)

    def happens(self, stream: RandomStream) -> bool:
        """Always: `p` is for each axis."""
        return True

    def draw(self, grid: Grid, stream: RandomStream) -> "Flip | None":
        # all axes are asked, so that leaving one out does not change what the others draw
        flipped = [axis for axis in range(3) if stream.chance(self.p)]
        in_array = grid.anatomical_axes if self._by_anatomy else (0, 1, 2)
        axes = tuple(in_array[axis] for axis in flipped if axis in self._axes)
        return Flip(axes) if axes else None


@dataclass(frozen=True)
class Flip(SpatialOperation):
    """Mirror the picture along some axes."""

    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", as_axes(self.axes))

    def fuse(self, fusion: Fusion) -> None:
        signs, offset = np.ones(3), np.zeros(3)
        for axis in self.axes:
            signs[axis], offset[axis] = -1.0, fusion.grid.shape[axis] - 1.0
        fusion.pull(np.diag(signs), offset)
