"""Flip: mirror the image along axes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..keys import RandomStream
from ..warping.fusion import Fusion, Grid
from ..warping.geometry.anatomy import ANATOMY
from .base import SelectiveStep
from .operation import SpatialOperation
from .ranges import as_axes


@dataclass(frozen=True, repr=False)
class RandomFlip(SelectiveStep):
    """Mirror the image along axes, each with its own draw: ``a b c`` becomes ``c b a``.

    Parameters
    ----------
    axes : int, str, or tuple of them; default (0, 1, 2)
        Axes of the array that can be flipped, 0 to 2; or "LR" (left-right), "AP"
        (anterior-posterior) and "SI" (superior-inferior), which the pipeline finds by its `affine`.
        Use "LR" for heads. If labels tell left from right, give their pairs to `Compose` as `swap`.
    p : float, default 0.5
        Probability of flipping each axis, 0 to 1; nnU-Net's, which flips all three.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an axis is not an int or a name, or `p` is not a number.
    ValueError
        If an axis is not from 0 to 2, is named twice, if numbers and names are mixed, or `p` is not
        from 0 to 1.

    See Also
    --------
    RandomAffine : Scaling, shear, rotation and translation.

    Notes
    -----
    Flips are exact: voxels are copied.

    A name means the array's axis that is closest to it, by the rule of nibabel's `io_orientation`;
    of two axes at the same angle, the first. Without an affine, "LR", "AP" and "SI" mean axes 0, 1
    and 2, which is right for arrays from nibabel in canonical (RAS) order, and wrong for arrays
    from SimpleITK, (z, y, x): give those an affine. The same key flips the same axes of the body,
    in whatever order an array is stored.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomFlip(axes=0, p=1.0)], seed=7)
    >>> pipeline(image=np.arange(8).reshape(8, 1, 1), index=0)["image"].ravel()
    array([7, 6, 5, 4, 3, 2, 1, 0])

    The left structure, 1, and the right one, 2, keep their sides in a mirrored head:

    >>> label = np.array([1, 1, 0, 0, 2]).reshape(5, 1, 1)
    >>> pipeline = volaug.Compose([volaug.RandomFlip("LR", p=1.0)], seed=7, swap={(1, 2)})
    >>> pipeline(label=label, affine=np.eye(4), index=0)["label"].ravel()
    array([1, 0, 0, 2, 2])
    """

    axes: int | str | Sequence[int | str] = (0, 1, 2)
    p: float = field(default=0.5, kw_only=True)
    _axes: tuple[int, ...] = field(init=False, compare=False)
    _by_anatomy: bool = field(init=False, compare=False)

    def check(self) -> None:
        given = _as_tuple(self.axes)
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
        """Return True: `p` is the probability of each axis."""
        return True

    def draw(self, grid: Grid, stream: RandomStream) -> "Flip | None":
        # all axes are asked, so that leaving one out does not change what the others draw
        flipped = [axis for axis in range(3) if stream.chance(self.p)]
        in_array = grid.anatomical_axes if self._by_anatomy else (0, 1, 2)
        axes = tuple(in_array[axis] for axis in flipped if axis in self._axes)
        return Flip(axes) if axes else None


@dataclass(frozen=True, repr=False)
class Flip(SpatialOperation):
    """Mirror the image along some axes."""

    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "axes", as_axes(self.axes))

    def fuse(self, fusion: Fusion) -> None:
        signs, offset = np.ones(3), np.zeros(3)
        for axis in self.axes:
            signs[axis], offset[axis] = -1.0, fusion.grid.shape[axis] - 1.0
        fusion.pull(np.diag(signs), offset)


def names_left_and_right(step: object) -> bool:
    """Whether a step flips the left and the right side, by name."""
    return isinstance(step, RandomFlip) and step.p > 0.0 and "LR" in _as_tuple(step.axes)


def _as_tuple(axes: Any) -> tuple[Any, ...]:
    return axes if isinstance(axes, tuple) else (axes,)
