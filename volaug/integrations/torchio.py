"""Pipelines as transforms of TorchIO 1, which changes the images of a `torchio.Subject`."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torchio import INTENSITY, Image, Subject
from torchio.transforms import SpatialTransform
from torchio.transforms.augmentation import RandomTransform

from ..operations.spatial import Crop
from ..pipeline import Compose
from ..record import Record
from ..transforms.labels import LabelPyramid


class RandomVolaug(RandomTransform, SpatialTransform):  # type: ignore[misc]
    """Draw from a pipeline, and do it to all images of a subject.

    Parameters
    ----------
    pipeline : Compose
        Scalar images are images, and all others, such as label maps, are labels, by their names
        in the subject. They are resampled as the pipeline says for that name, or else for
        "image" and "label".
    p : float
        How likely any of it happens.
    **kwargs
        ``include``, ``exclude``, ``keep``, ``copy`` and the like, of every TorchIO transform.

    Raises
    ------
    ValueError
        If the pipeline makes lists of labels, which a label map cannot hold.

    Notes
    -----
    Lengths are in mm, by the affine of the first image. What is drawn depends on torch's
    generator, as of every TorchIO transform, and on the pipeline's seed if it has one. The
    content moves and an image's affine stays; but that of a crop, whose voxels stay where they
    were. The subject's history has a `Volaug`.
    """

    def __init__(self, pipeline: Compose, p: float = 1, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)
        if any(isinstance(step, LabelPyramid) for step in pipeline.steps()):
            raise ValueError("a subject cannot hold the labels that LabelPyramid makes")
        # a seed from the operating system would be another one in the next run
        self.pipeline = replace(pipeline, seed=0) if pipeline.seed is None else pipeline
        self.args_names = ["pipeline"]

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw for a subject, and change its images."""
        subject.check_consistent_spatial_shape()
        images = images_of(self, subject)
        if not images:
            return subject
        transform = Volaug(self._drawn(images), **self._get_base_args())
        # not by a call, which would copy the subject once more
        transform.apply_transform(subject)
        subject.add_transform(transform, transform._get_reproducing_arguments())
        return subject

    def _drawn(self, images: dict[str, Image]) -> Record:
        first = next(iter(images.values()))
        kinds = {n: "image" if i.type == INTENSITY else "label" for n, i in images.items()}
        channels = (len(i.data) for n, i in images.items() if kinds[n] == "image")
        record = self.pipeline.draw(
            first.spatial_shape,
            affine=first.affine,
            channels=max(channels, default=1),
            index=int(torch.randint(2**53, ())),
        )
        targets = {}
        for name, kind in kinds.items():
            own = record.targets.get(name)
            targets[name] = own if own and own.kind == kind else record.targets[kind]
        return replace(record, targets=targets)


class Volaug(SpatialTransform):  # type: ignore[misc]
    """Do to a subject what a record says: what `RandomVolaug` leaves in its history.

    Parameters
    ----------
    record : Record, or str
        One whose targets are images of the subject; or its `to_json`.
    **kwargs
        As of every TorchIO transform.

    Notes
    -----
    Its inverse is `Record.invert`: it moves voxels back, and leaves values as they are.
    """

    def __init__(self, record: Record | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.record = record if isinstance(record, Record) else Record.from_json(record)
        self.args_names = ["record"]
        self.invert_transform = False

    def to_hydra_config(self) -> dict[str, Any]:
        """Return plain values, of which Hydra makes this transform."""
        return {**super().to_hydra_config(), "record": self.record.to_json()}

    def apply_transform(self, subject: Subject) -> Subject:
        """Change the images of a subject."""
        images = images_of(self, subject)
        act = self.record.invert if self.invert_transform else self.record.apply
        results = act(**{name: image.data for name, image in images.items()})
        crops = [step.start for _, step in self.record.steps if isinstance(step, Crop)]
        start = np.sum([(0, 0, 0), *crops], axis=0)
        for name, image in images.items():
            image.set_data(torch.from_numpy(results[name]))
            affine = image.affine.copy()
            affine[:3, 3] += affine[:3, :3] @ (-start if self.invert_transform else start)
            image.affine = affine
        return subject


def images_of(transform: SpatialTransform, subject: Subject) -> dict[str, Image]:
    """The images that a transform is for, by name."""
    names: dict[str, Image] = subject.get_images_dict(
        intensity_only=False, include=transform.include, exclude=transform.exclude
    )
    return names
