"""Scaling: enlarge or shrink the image about its center."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

from .. import checks
from ..checks import check_flag
from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import SelectiveStep
from .ranges import Pairs, RangePerAxis, drawn_for_axes, in_proportion, stretches
from .warps import stretched

Distribution = Literal["uniform", "log-uniform", "inverse-uniform"]
DISTRIBUTIONS = get_args(Distribution)


@dataclass(frozen=True, repr=False)
class RandomScaling(SelectiveStep):
    """Scale the image about its center: a factor of 2 along an axis makes it twice as long.

    Parameters
    ----------
    scale : float, (low, high), or three of these for axes 0, 1, 2; default (0.85, 1.2)
        Factors, 0.1 to 10; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. The default is
        mild for a head; nnU-Net uses 0.7 to 1.4.
    isotropic : bool, default False
        Whether one draw serves all axes, each within its own range.
    distribution : {"log-uniform", "uniform", "inverse-uniform"}
        Which quantity is uniform: the logarithm of the factor, so that 1/2 is as likely as 2; the
        factor, as in MONAI and TorchIO; or its inverse, the share of the image that is visible, as
        in nnU-Net.
    p : float, default 0.2
        Probability of applying the step, 0 to 1; nnU-Net's.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If `isotropic` is not a bool, or a factor or `p` is not a number.
    ValueError
        If a factor is not from 0.1 to 10, a range is reversed, a single number is not less than 1,
        `distribution` is none of the three, or `p` is not from 0 to 1.

    See Also
    --------
    RandomAffine : Scaling with shear, rotation and translation.

    Examples
    --------
    >>> step = volaug.RandomScaling((2, 2), p=1.0)
    >>> record = volaug.Compose([step], seed=7).draw((9, 9, 9), index=0)
    >>> record.warp.points_to_output([[5, 4, 4]])  # the center is (4, 4, 4)
    array([[6., 4., 4.]])
    """

    scale: RangePerAxis = (0.85, 1.2)
    _: KW_ONLY
    isotropic: bool = False
    distribution: Distribution = "log-uniform"
    p: float = field(default=0.2, kw_only=True)
    _factors: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("isotropic", self.isotropic)
        checks.check_choice("distribution", self.distribution, DISTRIBUTIONS)
        self._derive(_factors=stretches(self.scale))

    def distortion(self) -> float:
        return stretched(self._factors, self.isotropic)

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        if self.distribution == "uniform":
            return Affine(scale=drawn_for_axes(self._factors, self.isotropic, stream))
        if self.distribution == "log-uniform":
            return Affine(scale=in_proportion(self._factors, self.isotropic, stream))
        p, q, r = ((1.0 / high, 1.0 / low) for low, high in self._factors)
        a, b, c = drawn_for_axes((p, q, r), self.isotropic, stream)
        return Affine(scale=(1.0 / a, 1.0 / b, 1.0 / c))
