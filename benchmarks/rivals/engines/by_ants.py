"""ANTs, in the package antspyx, which resamples by an ITK of its own."""

import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Case
from ..contender import FEW, SOME, Contender, needs

INTERPOLATORS = {"nearest": "nearestneighbor", "linear": "linear", "cubic": "bspline"}


@needs("ants")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp, which returns a new image.

    It has no B-spline: a field of displacements is made outside of the clock. Its threads are all
    of the processor's, unless the environment says another number before it is imported.
    """
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(case.threads)
    import ants

    image, name = ants.from_numpy(case.volume), "ANTs"
    if case.control_points is None:
        numbers = [*case.matrix[:, :3].ravel(), *case.matrix[:, 3]]
        transform = ants.new_ants_transform("double", 3, "AffineTransform", numbers)
    else:
        field = np.moveaxis(case.displacements(), 0, -1).astype(np.float32)
        vectors = ants.from_numpy(field, has_components=True)
        transform, name = ants.transform_from_displacement_field(vectors), "ANTs (field given)"

    def in_memory() -> Any:
        return transform.apply_to_image(image, image, INTERPOLATORS[case.interpolation])

    def by_label() -> Any:
        return ants.apply_transforms(image, image, file, "genericLabel", singleprecision=True)

    run = in_memory
    if case.interpolation == "label":  # which it does by transforms in files alone
        with tempfile.NamedTemporaryFile(suffix=".mat", delete=False) as opened:
            file = opened.name
        ants.write_transform(transform, file)
        weakref.finalize(by_label, os.remove, file)
        run = by_label
    repeats = FEW if case.interpolation == "cubic" else SOME
    yield Contender(
        name, ants.__version__, case.threads, repeats, run, lambda result: (result.numpy(),)
    )
