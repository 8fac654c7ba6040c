"""Crops: the output's window. Nothing outside of it is computed."""

from dataclasses import dataclass, field
from typing import Any

from .. import checks
from ..keys import RandomStream
from ..serialization import normalize
from ..warping.fusion import Fusion, Grid
from .base import SpatialOperation, Step
from .ranges import Shape


@dataclass(frozen=True, repr=False)
class RandomCrop(Step):
    """Keep a window of the picture, each place of which is as likely.

    What other spatial steps read beyond the window is still there, as the crop is a part of the
    one warp: a patch that is turned has no empty corners where the picture goes on.

    Parameters
    ----------
    shape : int, or one for each axis
        In voxels. Along an axis on which the picture is shorter it lies in the middle of the
        window, and the rest is border.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
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
    """Keep a window in the middle of the picture.

    Parameters
    ----------
    shape, p, name
        As of `RandomCrop`. Where the rest is odd, one more of its voxels lies behind the window.
    """

    shape: int | Shape
    _window: Shape = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_window=as_window(self.shape))

    def draw(self, grid: Grid, stream: RandomStream) -> "Crop":
        a, b, c = (r // 2 for r in _room(grid, self._window))
        return Crop((a, b, c), self._window)


@dataclass(frozen=True)
class Crop(SpatialOperation):
    """Keep a window of the picture; beyond the picture, it shows its border."""

    start: Shape
    shape: Shape

    def __post_init__(self) -> None:
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
    """The lengths of a window, from one or three."""
    given = normalize(value)
    return checks.as_shape(name, given if isinstance(given, tuple) else (given,) * 3)


def _room(grid: Grid, window: Shape) -> list[int]:
    """By how much the picture is longer than the window, along each axis."""
    return [n - m for n, m in zip(grid.shape, window, strict=True)]
