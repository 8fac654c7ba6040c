"""scikit-image's ``resize``, which nnU-Net calls."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from ...problem import Array
from ..case import SPLINE_ORDERS
from ..contender import FEW, Contender, needs
from ..problems import Resizing


@needs("skimage")
def resize(problem: Resizing) -> Iterator[Contender]:
    """Yield the resizing without a filter, which returns a new array."""
    from skimage import transform

    resized: Any = transform.resize
    options = {"mode": "edge", "anti_aliasing": False, "clip": False, "preserve_range": True}

    def run() -> Array:
        order = SPLINE_ORDERS[problem.interpolation]
        return np.asarray(resized(problem.volume, problem.shape, order=order, **options))

    yield Contender("scikit-image", version("scikit-image"), 1, FEW, run)
