"""Rotation: rotate the image about its center."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, RangePerAxis, angles, drawn_for_axes


@dataclass(frozen=True, repr=False)
class RandomRotation(Step):
    """Rotate the image about its center: about axis 0, then axis 1, then axis 2.

    Each angle is drawn uniformly. Rotations are right-handed: a positive angle rotates axis 1
    towards axis 2 (about axis 0), axis 2 towards axis 0 (about axis 1), and axis 0 towards axis 1
    (about axis 2).

    Parameters
    ----------
    degrees : float, (low, high), or three of these for axes 0, 1, 2; default 15.0
        Angles in degrees, -360 to 360; a number `a` means -a to a. The default is mild for a head;
        nnU-Net uses 30. For thick slices rotate about their normal alone: ``(180, 0, 0)``, which
        nnU-Net calls dummy 2D.
    p : float, default 0.2
        Probability of applying the step, 0 to 1; nnU-Net's.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.

    Raises
    ------
    TypeError
        If an angle or `p` is not a number.
    ValueError
        If an angle exceeds 360 degrees, a range is reversed, or `p` is not from 0 to 1.

    See Also
    --------
    RandomAffine : Rotation with scaling, shear and translation.

    Notes
    -----
    The rotation is done in mm, so that it does not shear anisotropic voxels.

    Examples
    --------
    >>> step = volaug.RandomRotation(((90, 90), 0, 0), p=1.0)  # a quarter turn about axis 0
    >>> image = np.random.default_rng(0).random((8, 8, 8))
    >>> rotated = volaug.Compose([step], seed=7)(image=image, index=0)["image"]
    >>> np.array_equal(rotated, np.rot90(image, axes=(1, 2)))
    True
    """

    degrees: RangePerAxis = 15.0
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_angles=angles(self.degrees))

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(degrees=drawn_for_axes(self._angles, False, stream))
