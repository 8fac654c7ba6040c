"""MONAI's dictionary transforms in worker processes, as near to nnU-Net's as they come.

The same steps, ranges and probabilities. Labels are nearest, and the noise has one strength.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from ..task import Batch, Task, pyramid
from .regions import Regions, loaded


class AsMonai:
    """Its transforms, and labels at each resolution of the network."""

    def __init__(self, task: Task) -> None:
        self._transform, self._levels = pipeline(task.problem.side), len(task.scales)

    def __call__(self, region: dict[str, Any]) -> dict[str, Any]:
        """Return a patch."""
        done = self._transform(region)
        return {"image": done["image"], "label": pyramid(done["label"], self._levels)}


def own(task: Task) -> AbstractContextManager[Iterator[Batch]]:
    """Give batches of torch's DataLoader with its transforms."""
    return loaded(task, Regions(task, AsMonai(task)))


def pipeline(side: int) -> Any:
    """Return its transforms for a region that is larger than a patch of `side` voxels."""
    from monai import transforms as of
    from monai.data import set_track_meta

    set_track_meta(False)
    keys = ["image", "label"]
    angle = (-math.pi / 6, math.pi / 6)
    warp: dict[str, Any] = {
        "keys": keys,
        "spatial_size": (side,) * 3,
        "mode": ("bilinear", "nearest"),
        "padding_mode": "zeros",
    }
    return of.Compose(
        [
            # one of rotation and zoom happens in 36 % of samples, as in nnU-Net
            of.RandAffined(prob=0.2, rotate_range=(angle,) * 3, **warp),
            of.RandAffined(prob=0.2, scale_range=((-0.3, 0.4),) * 3, **warp),
            of.RandGaussianNoised("image", prob=0.1, std=0.1),
            of.RandGaussianSmoothd("image", *[(0.5, 1.0)] * 3, prob=0.2),
            of.RandScaleIntensityd("image", factors=0.25, prob=0.15),
            of.RandScaleIntensityFixedMeand("image", factors=0.25, prob=0.15),
            of.RandSimulateLowResolutiond("image", prob=0.125, zoom_range=(0.5, 1.0)),
            of.RandAdjustContrastd("image", prob=0.1, gamma=(0.7, 1.5), invert_image=True),
            of.RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
            *(of.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
        ]
    )
