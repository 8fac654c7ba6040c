"""Flips, affine and elastic steps: what a user picks, and how it is drawn.

Numbers say what happens to the picture: a positive shift moves it towards higher indices, a scale
over 1 enlarges it. Lengths are in mm where the call of the pipeline says how large a voxel is
(`spacing` or `affine`), and in voxels else. A range is a number, a pair (low, high), or one of
these for each of the three axes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..keys import Numbers
from ..operations.numbers import FARTHEST, Shape, Three, as_axes, as_flag, as_triple
from ..operations.spatial import Affine, Elastic, Flip
from ..warping.fusion import FOLDING, MOST_SPANS, Grid
from ..warping.geometry.anatomy import ANATOMY
from ..warping.geometry.bspline import Floats
from .ranges import Pairs, Range, angles, drawn_for_axes, lengths, slopes, stretches
from .transform import Step

EVEN_IN = ("logarithm", "inverse")


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

    def happens(self, numbers: Numbers) -> bool:
        """Always: `p` is for each axis."""
        return True

    def draw(self, grid: Grid, numbers: Numbers) -> Flip | None:
        # all axes are asked, so that leaving one out does not change what the others draw
        flipped = [axis for axis in range(3) if numbers.chance(self.p)]
        in_array = grid.anatomical_axes if self._by_anatomy else (0, 1, 2)
        axes = tuple(in_array[axis] for axis in flipped if axis in self._axes)
        return Flip(axes) if axes else None


@dataclass(frozen=True, repr=False)
class RandomTranslation(Step):
    """Move the picture along each axis by a number that is drawn evenly: ``a b c`` to ``0 a b``.

    Parameters
    ----------
    shift : range
        In mm (or voxels), towards higher indices; a number `a` means -a to a. By default 5 % of
        a head's 200 mm, which is mild; twice that is strong.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
    """

    shift: Range = 10.0
    p: float = field(default=0.2, kw_only=True)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_lengths=lengths("shift", self.shift))

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        return Affine(translation=drawn_for_axes(self._lengths, False, numbers))


@dataclass(frozen=True, repr=False)
class RandomRotation(Step):
    """Turn the picture about its centre: about axis 0, then axis 1, then axis 2.

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

    degrees: Range = 15.0
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_angles=angles(self.degrees))

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        return Affine(degrees=drawn_for_axes(self._angles, False, numbers))


@dataclass(frozen=True, repr=False)
class RandomScaling(Step):
    """Stretch the picture about its centre: a factor of 2 along an axis makes it twice as long.

    Parameters
    ----------
    scale : range
        Factors; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.85 to 1.2 by default,
        which is mild for a head; nnU-Net draws 0.7 to 1.4.
    isotropic : bool
        One draw for all axes, each within its own range. Otherwise each axis has its own.
    even_in : {"logarithm", "inverse"}
        What is drawn evenly. The logarithm of each factor makes halves as likely as doubles. Its
        inverse, which is by how much less of the picture is seen, is what nnU-Net draws.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    scale: Range = (0.85, 1.2)
    isotropic: bool = False
    even_in: str = "logarithm"
    p: float = field(default=0.2, kw_only=True)
    _factors: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        checks.check_choice("even_in", self.even_in, EVEN_IN)
        self._derive(_factors=stretches(self.scale))

    def distortion(self) -> float:
        return _stretched(self._factors, self.isotropic)

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        if self.even_in == "logarithm":
            return Affine(scale=_in_proportion(self._factors, self.isotropic, numbers))
        p, q, r = ((1.0 / high, 1.0 / low) for low, high in self._factors)
        a, b, c = drawn_for_axes((p, q, r), self.isotropic, numbers)
        return Affine(scale=(1.0 / a, 1.0 / b, 1.0 / c))


@dataclass(frozen=True, repr=False)
class RandomShear(Step):
    """Slide the picture's planes along each other, about its centre; its volume stays.

    Each factor is drawn evenly. In mm along one axis for each mm along another: with 0.1, what
    lies 50 mm further along the second moves 5 mm further along the first.

    Parameters
    ----------
    shear : range
        Of axis 0 along axis 1, of axis 0 along axis 2, and of axis 1 along axis 2; with a
        rotation and a scaling these make all linear maps. A number `a` means -a to a. 0.02 by
        default, which is mild for a head; 0.1 is strong.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
    """

    shear: Range = 0.02
    p: float = field(default=0.2, kw_only=True)
    _slopes: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_slopes=slopes(self.shear))

    def distortion(self) -> float:
        return _sheared(self._slopes)

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        return Affine(shear=drawn_for_axes(self._slopes, False, numbers))


@dataclass(frozen=True, repr=False)
class RandomAffine(Step):
    """Stretch, shear and turn the picture about its centre and move it, in this order.

    Parameters
    ----------
    degrees, scale, shear, translation : range
        As of `RandomRotation`, `RandomScaling`, `RandomShear`, and `RandomTranslation`, where it
        is called `shift`. 0 leaves one out.
    isotropic : bool
        As of `RandomScaling`.
    p : float
        How likely it happens: all of it, or nothing.
    name : str, optional
        See `Transform`.

    Notes
    -----
    A place `x` goes to ``R H S (x - c) + c + t``, where ``c = (n - 1) / 2`` is the centre of the
    grid, in mm: `S` stretches, `H` shears and `R` turns.
    """

    degrees: Range = 15.0
    scale: Range = (0.85, 1.2)
    shear: Range = 0.02
    translation: Range = 10.0
    isotropic: bool = False
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)
    _factors: Pairs = field(init=False, compare=False)
    _slopes: Pairs = field(init=False, compare=False)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        self._derive(
            _angles=angles(self.degrees),
            _factors=stretches(self.scale),
            _slopes=slopes(self.shear),
            _lengths=lengths("translation", self.translation),
        )

    def distortion(self) -> float:
        return _stretched(self._factors, self.isotropic) * _sheared(self._slopes)

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        return Affine(
            degrees=drawn_for_axes(self._angles, False, numbers),
            scale=_in_proportion(self._factors, self.isotropic, numbers),
            shear=drawn_for_axes(self._slopes, False, numbers),
            translation=drawn_for_axes(self._lengths, False, numbers),
        )


@dataclass(frozen=True, repr=False)
class RandomElastic(Step):
    """Bend the picture by a cubic B-spline whose control points move at random.

    Each component of each control point is drawn evenly from -max_displacement to
    max_displacement. The spline approximates them, so that no voxel moves further. The control
    points lie over the pipeline's output: of a patch, if it crops.

    Parameters
    ----------
    max_displacement : float, or one for each axis
        In mm (or voxels). 7 by default: 0.15 of the distance between seven control points on a
        head of 190 mm, which is mild; 0.4 of that distance is the limit for any that must not
        fold.
    control_points : int, or one for each axis
        4 or more, counting one beyond each end; the knots are ``(n - 1) / (k - 3)`` voxels
        apart. 7 as in TorchIO. Or 1: the same displacement all along that axis, as for slices
        that are far apart, with ``max_displacement=(0, 7, 7), control_points=(1, 7, 7)``.
    locked_borders : int
        So many layers of control points at each end of every axis (that has more than 1) do
        not move, 0 to 3. With 3 the picture's border stays where it is; with 2 it moves by a
        sixth of the third layer.
    folding : {"forbid", "warn", "allow"}
        What if tissue could fold over itself: the displacement becomes smaller until it is
        certain not to (see `warping/geometry/folding.py`), or there is a warning if it folds, or
        nothing. It is asked of all elastic steps of one warp together, and the
        strictest of them counts. That displacements become smaller is said once, in a warning at
        the first draw in which they do; `Record.elastic_factors` says it of each.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Displacements of several such steps add up on one lattice. So where they can be drawn into
    one warp, their numbers of control points, less 3, must have a common multiple of at most 64
    along each axis: 7 and 19 have, 7 and 20 have not.

    References
    ----------
    D. Rueckert et al., "Nonrigid registration using free-form deformations", IEEE Transactions
    on Medical Imaging 18(8), 1999; Y. Choi, S. Lee, "Injectivity conditions of 2D and 3D uniform
    cubic B-spline functions", Graphical Models 62(6), 2000.
    """

    max_displacement: float | Sequence[float] = 7.0
    control_points: int | Sequence[int] = 7
    locked_borders: int = 0
    folding: str = "forbid"
    p: float = field(default=0.2, kw_only=True)
    _reach: Floats = field(init=False, compare=False)
    _lattice: Shape = field(init=False, compare=False)

    def check(self) -> None:
        checks.check_choice("folding", self.folding, FOLDING)
        locked = checks.as_whole("locked_borders", self.locked_borders, 0, 3)
        reach = as_triple("max_displacement", self.max_displacement, 0.0, FARTHEST)
        given = self.control_points
        given = given if isinstance(given, tuple) else (given,) * 3
        least, most = max(4, 2 * locked + 1), MOST_SPANS + 3
        lattice = [checks.as_whole("control_points", k, 1, most) for k in given]
        if len(lattice) != 3 or any(1 < k < least for k in lattice):
            raise ValueError(
                f"control_points must be 1 or from {least} to {most}, with {locked} "
                f"locked_borders, or three such numbers, got {self.control_points!r}"
            )
        self._derive(_reach=np.reshape(reach, (3, 1, 1, 1)), _lattice=tuple(lattice))

    def spans(self) -> Shape:
        a, b, c = (max(k - 3, 1) for k in self._lattice)
        return a, b, c

    def draw(self, grid: Grid, numbers: Numbers) -> Elastic:
        points = numbers.uniforms(3, *self._lattice)
        points -= 0.5
        points *= 2.0 * self._reach
        for axis, length in enumerate(self._lattice, start=1):
            if length == 1:
                points = np.repeat(points, 4, axis)
            elif self.locked_borders:
                ends = points.swapaxes(0, axis)
                ends[: self.locked_borders] = ends[-self.locked_borders :] = 0.0
        return Elastic(points, self.folding)


def _stretched(factors: Pairs, together: bool) -> float:
    """The greatest ratio of two factors of one draw."""
    if together:  # their logarithms, or their inverses, go along with one another
        return max(max(ends) / min(ends) for ends in zip(*factors, strict=True))
    return max(high for _, high in factors) / min(low for low, _ in factors)


def _sheared(slopes: Pairs) -> float:
    """A bound of the ratio of the greatest to the least stretch that shears make."""
    a, b, c = (max(abs(low), abs(high)) for low, high in slopes)
    # of I + N and of its inverse I - N + N N, by the Frobenius norm
    return (1.0 + math.hypot(a, b, c)) * (1.0 + math.hypot(a, b + a * c, c))


def _in_proportion(ranges: Pairs, together: bool, numbers: Numbers) -> Three:
    """Numbers whose logarithms are drawn evenly; for all axes at once, or each for itself."""
    ways = [numbers.uniform() for _ in ranges]
    a, b, c = (
        low * (high / low) ** (ways[0] if together else way)
        for way, (low, high) in zip(ways, ranges, strict=True)
    )
    return a, b, c
