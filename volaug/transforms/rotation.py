"""Rotation: the picture rotated about its center."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, RangePerAxis, angles, drawn_for_axes


@dataclass(frozen=True, repr=False)
class RandomRotation(Step):
    """Turn the picture about its center: about axis 0, then axis 1, then axis 2.

    Each angle is drawn evenly. Right-handed: a positive one turns axis 1 towards axis 2 (about
    axis 0), axis 2 towards axis 0 (about axis 1), and axis 0 towards axis 1 (about axis 2).

    Parameters
    ----------
    degrees : range
        A number `a` means -a to a. 15 by default, which is mild for a head; 30 is nnU-Net's.
        For slices that are far apart turn about their normal alone, ``(180, 0, 0)``: what
        nnU-Net calls dummy 2D.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    In mm, so that on voxels that are longer than wide nothing is sheared.
    """

    degrees: RangePerAxis = 15.0
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_angles=angles(self.degrees))

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(degrees=drawn_for_axes(self._angles, False, stream))
