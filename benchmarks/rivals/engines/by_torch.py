"""torch's ``affine_grid`` and ``grid_sample``, or the latter alone: it has no B-spline.

Its coordinates run from -1 to 1 over the voxel centers, or over the voxels, the axes backwards.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import Array
from ..case import Case
from ..contender import SOME, Contender, needs
from ..problems import Resizing


@needs("torch")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the linear warp of a float32 volume, which returns a new tensor."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    torch.set_num_threads(case.threads)
    volume = torch.from_numpy(case.volume)[None, None]
    half = np.subtract(case.volume.shape, 1) / 2
    linear, offset = case.matrix[:, :3], case.matrix[:, 3]
    shift = (linear @ half + offset) / half - 1
    scaled = np.column_stack([linear * half / half[:, None], shift])[::-1, [2, 1, 0, 3]]
    theta = torch.from_numpy(scaled.astype(np.float32))[None]
    dense = None if case.control_points is None else grid(case, align_corners=True)

    def run() -> Any:
        with torch.inference_mode():
            read = dense
            if read is None:
                read = affine_grid(theta, list(volume.shape), align_corners=True)
            return grid_sample(volume, read, align_corners=True)[0, 0]

    name = "torch" if dense is None else "torch (grid given)"
    yield Contender(name, torch.__version__, case.threads, SOME, run)


def grid(case: Case, align_corners: bool) -> Any:
    """Return the coordinates (1, n0, n1, n2, 3) that ``grid_sample`` takes.

    -1 and 1 are the outermost voxel centers, or the outermost faces of the voxels.
    """
    import torch

    places = case.coordinates(slice(None), case.weights())
    lengths = np.reshape(case.volume.shape, (3, 1, 1, 1))
    scaled = 2 * places / (lengths - 1) - 1 if align_corners else (2 * places + 1) / lengths - 1
    return torch.from_numpy(np.moveaxis(scaled[::-1], 0, -1).astype(np.float32))[None]


@needs("torch")
def resize(problem: Resizing) -> Iterator[Contender]:
    """Yield ``interpolate``, which returns a new tensor."""
    import torch
    from torch.nn.functional import interpolate

    mode = {"nearest": "nearest-exact", "linear": "trilinear"}[problem.interpolation]
    tensor = torch.from_numpy(problem.volume)[None, None]

    def run() -> Array:
        torch.set_num_threads(problem.threads)
        with torch.inference_mode():
            result: Array = interpolate(tensor, problem.shape, mode=mode)[0, 0].numpy()
            return result

    yield Contender("torch.interpolate", torch.__version__, problem.threads, SOME, run)
