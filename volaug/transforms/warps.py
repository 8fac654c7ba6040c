"""Conditions on the spatial steps of one warp, so that no draw of a pipeline fails.

Which steps are applied differs from draw to draw. So this follows all warps that a draw can have
at each position of the pipeline, by the few numbers that matter.
"""

import math
from collections.abc import Iterator

from ..warping.geometry.bspline import MAX_SPANS
from .base import Step, Transform, ValueStep
from .group import Group, OneOf
from .ranges import Pairs, Shape

# The maximum ratio by which a warp may enlarge an image along one direction and another. Products
# of matrices that stay below it have accurate inverses, for any voxel size.
MAX_DISTORTION = 1e6

# The lattice spans of each warp that a draw can have, and the maximum distortion of the warp.
Warps = dict[Shape, float]

NEW: Warps = {(1, 1, 1): 1.0}


def check_warps(pipeline: Transform) -> None:
    """Check that whatever steps are drawn, those of each warp have a lattice and an inverse."""
    after(pipeline, NEW)


def after(transform: Transform, warps: Warps, asked: bool = True) -> Warps:
    """Return the warps that a draw can have after a transform, from those before it."""
    p = transform.p if asked else 1.0
    if p == 0.0:
        return warps
    taken = _after_taken(transform, warps)
    return taken if p == 1.0 else _either(warps, taken)


def _after_taken(transform: Transform, warps: Warps) -> Warps:
    if isinstance(transform, OneOf):
        ways = [after(picked, warps, transform.asks) for picked in transform.likely()]
        return _either(*ways)
    if isinstance(transform, Group):
        for inner in transform.transforms:
            warps = after(inner, warps, transform.asks)
        return warps
    if isinstance(transform, ValueStep):
        return NEW
    assert isinstance(transform, Step)
    return _either(*(_with(transform, *warp) for warp in warps.items()))


def _either(*ways: Warps) -> Warps:
    """Return the warps of any of several branches."""
    merged: Warps = {}
    for spans, distortion in (warp for way in ways for warp in way.items()):
        merged[spans] = max(distortion, merged.get(spans, 1.0))
    return merged


def _with(step: Step, spans: Shape, distortion: float) -> Warps:
    """Return a warp with one more step."""
    distortion *= step.distortion()
    if distortion > MAX_DISTORTION:
        raise ValueError(
            f"the steps of one warp could stretch and shear an image {distortion:.1g} times as "
            f"much along one direction as along another, and at most {MAX_DISTORTION:g} can be "
            "undone: choose narrower ranges of scale and shear, or fewer such steps"
        )
    own = step.spans()
    a, b, c = common = tuple(map(math.lcm, spans, own))
    if max(common) > MAX_SPANS:
        axis = common.index(max(common))
        near = " or ".join(str(k) for k in _nearest(own[axis], spans[axis]))
        raise ValueError(
            "the elastic steps of one warp must have a common lattice of at most "
            f"{MAX_SPANS + 3} control points along each axis, but {own[axis] + 3} of one are "
            f"drawn with {spans[axis] + 3} of others: choose numbers that, less 3, have a common "
            f"multiple of at most {MAX_SPANS}, such as {near} in place of {own[axis] + 3}"
        )
    return {(a, b, c): distortion}


def _nearest(own: int, others: int) -> Iterator[int]:
    """Yield the nearest numbers of control points, below and above, that fit those of others."""
    fitting = [s for s in range(1, MAX_SPANS + 1) if math.lcm(s, others) <= MAX_SPANS]
    below, above = [s for s in fitting if s < own], [s for s in fitting if s > own]
    if below:
        yield below[-1] + 3
    if above:
        yield above[0] + 3


def stretched(factors: Pairs, together: bool) -> float:
    """Return the maximum ratio of two factors of one draw."""
    if together:  # their logarithms, or their inverses, go along with one another
        return max(max(ends) / min(ends) for ends in zip(*factors, strict=True))
    return max(high for _, high in factors) / min(low for low, _ in factors)


def sheared(slopes: Pairs) -> float:
    """Return a bound of the ratio of the maximum to the minimum stretch of shears."""
    a, b, c = (max(abs(low), abs(high)) for low, high in slopes)
    # of I + N and of its inverse I - N + N N, by the Frobenius norm
    return (1.0 + math.hypot(a, b, c)) * (1.0 + math.hypot(a, b + a * c, c))
