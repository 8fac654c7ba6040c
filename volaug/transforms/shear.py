"""Shear: slide planes of the image along each other."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import SelectiveStep
from .ranges import Pairs, RangePerAxis, drawn_for_axes, slopes
from .warps import sheared


@dataclass(frozen=True, repr=False)
class RandomShear(SelectiveStep):
    """Slide planes of the image along each other, about its center; volumes are preserved.

    Each factor is drawn uniformly. It is in mm per mm: with 0.1, a point 50 mm further along the
    second axis moves 5 mm further along the first.

    Parameters
    ----------
    shear : float, (low, high), or three of these; default 0.02
        Factors of axis 0 along axis 1, axis 0 along axis 2, and axis 1 along axis 2, -10 to 10; a
        number `a` means -a to a. The default is mild for a head; 0.1 is strong.
    p : float, default 0.2
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If a factor or `p` is not a number.
    ValueError
        If a factor exceeds 10, a range is reversed, or `p` is not from 0 to 1.

    See Also
    --------
    RandomAffine : Shear with scaling, rotation and translation.

    Notes
    -----
    Three factors are enough: with a rotation and a scaling they make every linear map.

    Examples
    --------
    >>> step = volaug.RandomShear(((0.5, 0.5), 0, 0), p=1.0)
    >>> record = volaug.Compose([step], seed=7).draw((9, 9, 9), index=0)
    >>> record.warp.points_to_output([[4, 6, 4]])  # the center is (4, 4, 4)
    array([[5., 6., 4.]])
    """

    shear: RangePerAxis = 0.02
    p: float = field(default=0.2, kw_only=True)
    _slopes: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_slopes=slopes(self.shear))

    def distortion(self) -> float:
        return sheared(self._slopes)

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(shear=drawn_for_axes(self._slopes, False, stream))
