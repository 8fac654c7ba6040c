"""Crops: the window of the output. Nothing outside of it is computed."""

from dataclasses import dataclass, field
from typing import Any

from .. import checks
from ..keys import RandomStream
from ..serialization import normalize
from ..warping.fusion import Fusion, Grid
from .base import Step
from .operation import SpatialOperation
from .ranges import Shape


@dataclass(frozen=True, repr=False)
class RandomCrop(Step):
    """Crop a window at a random position, drawn uniformly.

    The crop is part of the warp: other spatial steps read what lies outside of the window. So a
    rotated patch has no empty corners where the image goes on.

    Parameters
    ----------
    shape : int or three ints
        Shape of the window in voxels. Where the image is shorter, it is centered in the window, and
        the rest is filled as the target's `mode` says.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.

    Raises
    ------
    TypeError
        If a length is not an int.
    ValueError
        If a length is less than 1, or `p` is not from 0 to 1.

    See Also
    --------
    CenterCrop : Crop the middle.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomCrop(8)], seed=7)
    >>> pipeline(image=np.zeros((12, 16, 20)), index=0)["image"].shape
    (8, 8, 8)
    """

    shape: int | Shape
    _window: Shape = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_window=as_window(self.shape))

    def draw(self, grid: Grid, stream: RandomStream) -> "Crop":
        # all axes are asked, so that a longer window along one does not change the others' draws
        room = _room(grid, self._window)
        a, b, c = (stream.whole(0, max(r, 0)) + min(r, 0) // 2 for r in room)
        return Crop((a, b, c), self._window)


@dataclass(frozen=True, repr=False)
class CenterCrop(Step):
    """Crop a window in the middle of the image.

    Parameters
    ----------
    shape : int or three ints
        Shape of the window in voxels. Where the rest is odd, one more voxel is cut at the end.
        Where the image is shorter, it is centered in the window, and the rest is filled as the
        target's `mode` says.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Default: the class name.

    Raises
    ------
    TypeError
        If a length is not an int.
    ValueError
        If a length is less than 1, or `p` is not from 0 to 1.

    See Also
    --------
    RandomCrop : Crop at a random position.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.CenterCrop((4, 1, 1))], seed=7)
    >>> pipeline(image=np.arange(9).reshape(9, 1, 1), index=0)["image"].ravel()
    array([2, 3, 4, 5])
    """

    shape: int | Shape
    _window: Shape = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_window=as_window(self.shape))

    def draw(self, grid: Grid, stream: RandomStream) -> "Crop":
        a, b, c = (r // 2 for r in _room(grid, self._window))
        return Crop((a, b, c), self._window)


@dataclass(frozen=True, repr=False)
class Crop(SpatialOperation):
    """Crop a window of the image; outside of the image it shows its border."""

    start: Shape
    shape: Shape

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "shape", checks.as_shape("shape", self.shape))
        start = normalize(self.start)
        if not isinstance(start, tuple) or len(start) != 3:
            raise ValueError(f"start must be three whole numbers, got {start!r}")
        limit = 2**31
        start = tuple(checks.as_whole("start", item, -limit, limit) for item in start)
        object.__setattr__(self, "start", start)

    def fuse(self, fusion: Fusion) -> None:
        fusion.window(self.start, self.shape)


def as_window(value: Any, name: str = "shape") -> Shape:
    """Return the shape of a window, from one length or three."""
    given = normalize(value)
    return checks.as_shape(name, given if isinstance(given, tuple) else (given,) * 3)


def _room(grid: Grid, window: Shape) -> list[int]:
    """How much longer the image is than the window, along each axis."""
    return [n - m for n, m in zip(grid.shape, window, strict=True)]
