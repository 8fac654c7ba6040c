"""TorchIO's transforms in worker processes, as near to nnU-Net's as they come.

Rotation and scaling are one transform, with probability 0.36. It has no transform of brightness
or contrast but gamma. Labels are nearest.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from ..task import Batch, Task, pyramid
from .regions import Regions, loaded


class AsTorchio:
    """Its transforms, and labels at each resolution of the network."""

    def __init__(self, task: Task) -> None:
        self._transform, self._levels = pipeline(task.problem.side), len(task.scales)

    def __call__(self, region: dict[str, Any]) -> dict[str, Any]:
        """Return a patch."""
        import torchio

        subject = torchio.Subject(
            image=torchio.ScalarImage(tensor=region["image"]),
            label=torchio.LabelMap(tensor=region["label"]),
        )
        done = self._transform(subject)
        return {"image": done.image.data, "label": pyramid(done.label.data, self._levels)}


def own(task: Task) -> AbstractContextManager[Iterator[Batch]]:
    """Give batches of torch's DataLoader with its transforms."""
    return loaded(task, Regions(task, AsTorchio(task)))


def pipeline(side: int) -> Any:
    """Return its transforms for a region that is larger than a patch of `side` voxels."""
    import torchio

    return torchio.Compose(
        [
            torchio.RandomAffine(
                scales=(0.7, 1.4), degrees=30, isotropic=True, default_pad_value=0, p=0.36
            ),
            torchio.CropOrPad(side),
            torchio.RandomNoise(std=(0, 0.1), p=0.1),
            torchio.RandomBlur(std=(0.5, 1.0), p=0.2),
            torchio.RandomAnisotropy(downsampling=(1, 2), p=0.125),
            torchio.RandomGamma(log_gamma=(-0.35, 0.4), p=0.4),
            torchio.RandomFlip(axes=(0, 1, 2), flip_probability=0.5),
        ],
        copy=False,
    )
