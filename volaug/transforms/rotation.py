"""Rotation: rotate the image about its center."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

import numpy as np

from .. import checks
from ..keys import RandomStream
from ..warping.fusion import Grid
from ..warping.geometry.bspline import Floats
from ..warping.geometry.forward import degrees_of, rotation_about, rotation_of_quaternion
from .affine import Affine
from .base import SelectiveStep
from .ranges import MAX_LENGTH, Pairs, RangePerAxis, Three, angles, as_triple, drawn_for_axes


@dataclass(frozen=True, repr=False)
class RandomRotation(SelectiveStep):
    """Rotate the image about its center: about axis 0, then axis 1, then axis 2.

    Each angle is drawn uniformly. Rotations are right-handed: a positive angle rotates axis 1
    towards axis 2 (about axis 0), axis 2 towards axis 0 (about axis 1), and axis 0 towards axis 1
    (about axis 2). With ``"uniform"``, every orientation is equally likely; with `axis`, there is
    one angle about one axis.

    Parameters
    ----------
    degrees : float, (low, high), three of these for axes 0, 1, 2, or "uniform"; default 15.0
        Angles in degrees, -360 to 360; a number `a` means -a to a. The default is mild for a head;
        nnU-Net uses 30. For thick slices rotate about their normal alone: ``(180, 0, 0)``, which
        nnU-Net calls dummy 2D. "uniform" draws from all rotations alike (Shoemake 1992), which
        three angles do not.
    axis : {"random"} or (3,) floats, optional
        Axis of a rotation by one angle: a direction in mm along the axes of the array, or
        "random", for which each direction is equally likely. `degrees` is then one range.
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
        If an angle or `p` is not a number.
    ValueError
        If an angle exceeds 360 degrees, a range is reversed, `axis` has no length or is given with
        "uniform" or with three ranges, or `p` is not from 0 to 1.

    See Also
    --------
    RandomAffine : Rotation with scaling, shear and translation.

    Notes
    -----
    The rotation is done in mm, so that it does not shear anisotropic voxels. An image of one voxel
    along an axis is rotated about that axis alone.

    References
    ----------
    K. Shoemake, "Uniform random rotations", Graphics Gems III, 1992.

    Examples
    --------
    >>> step = volaug.RandomRotation(((90, 90), 0, 0), p=1.0)  # a quarter turn about axis 0
    >>> image = np.random.default_rng(0).random((8, 8, 8))
    >>> rotated = volaug.Compose([step], seed=7)(image=image, index=0)["image"]
    >>> np.array_equal(rotated, np.rot90(image, axes=(1, 2)))
    True
    >>> step = volaug.RandomRotation("uniform", p=1.0)  # all orientations alike
    >>> record = volaug.Compose([step], seed=7).draw(image.shape, index=0)
    >>> np.allclose(record.warp.matrix @ record.warp.matrix.T, np.eye(3))
    True
    """

    degrees: RangePerAxis | Literal["uniform"] = 15.0
    _: KW_ONLY
    axis: Literal["random"] | Sequence[float] | None = None
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)
    _axis: Three | None = field(init=False, compare=False)

    def check(self) -> None:
        uniform = self.degrees == "uniform"
        self._derive(_angles=angles(180.0 if uniform else self.degrees), _axis=None)
        if self.axis is None:
            return
        if uniform or (isinstance(self.degrees, tuple) and len(self.degrees) == 3):
            raise ValueError(
                f"degrees must be one range for a rotation about an axis, got {self.degrees!r}"
            )
        if isinstance(self.axis, str):
            checks.check_choice("axis", self.axis, ("random",))
            return
        direction = as_triple("axis", self.axis, -MAX_LENGTH, MAX_LENGTH)
        length = math.hypot(*direction)
        if not isinstance(self.axis, tuple) or length < 1.0 / MAX_LENGTH:
            raise ValueError(
                f'axis must be "random" or a direction of three numbers, got {self.axis!r}'
            )
        a, b, c = (part / length for part in direction)
        self._derive(_axis=(a, b, c))

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        if self.axis is not None:
            axis = np.array(self._axis) if self._axis else random_direction(stream)
            return Affine(
                degrees=degrees_of(rotation_about(axis, stream.uniform(*self._angles[0])))
            )
        if self.degrees == "uniform" and 1 not in grid.shape:
            return Affine(degrees=degrees_of(random_rotation(stream)))
        return Affine(degrees=drawn_for_axes(self._angles, False, stream))


def random_direction(stream: RandomStream) -> Floats:
    """Draw a direction, uniformly on the sphere."""
    height, angle = stream.uniform(-1.0, 1.0), stream.uniform(0.0, 2.0 * math.pi)
    radius = math.sqrt(1.0 - height * height)
    return np.array([radius * math.cos(angle), radius * math.sin(angle), height])


def random_rotation(stream: RandomStream) -> Floats:
    """Draw a rotation, uniformly from all (Shoemake 1992)."""
    share, first, second = stream.uniforms(3).tolist()
    a, b = math.sqrt(1.0 - share), math.sqrt(share)
    first, second = 2.0 * math.pi * first, 2.0 * math.pi * second
    return rotation_of_quaternion(
        np.array(
            [a * math.sin(first), a * math.cos(first), b * math.sin(second), b * math.cos(second)]
        )
    )
