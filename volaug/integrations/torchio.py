"""Pipelines as transforms of TorchIO 1, which change the images of a `torchio.Subject`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torchio import INTENSITY, Image, Subject
from torchio.transforms import IntensityTransform, SpatialTransform
from torchio.transforms.augmentation import RandomTransform

from .. import checks
from ..keys import Key
from ..pipeline.compose import Compose
from ..pipeline.record import Record
from ..pipeline.targets import Target
from ..transforms.label_pyramid import LabelPyramid
from ..transforms.per_channel import IntensityOperation
from ..warping.geometry.bspline import Floats
from ..warping.geometry.orientation import reorientation
from .torch_dataset import as_tensors, random_number

# TorchIO's names for interpolations that volaug has.
INTERPOLATIONS = {"nearest": "nearest", "linear": "linear", "bspline": "cubic", "cubic": "cubic"}


class RandomVolaug(RandomTransform, SpatialTransform):  # type: ignore[misc]
    """Draw from a pipeline, and apply the draw to all images of a subject.

    Parameters
    ----------
    pipeline : Compose or mapping
        A pipeline, or its `to_dict`, as in a configuration of Hydra. Scalar images are images, and
        all others, such as label maps, are labels, by their names in the subject. They are
        resampled as the pipeline says for that name, or else for "image" and "label".
    p : float, default 1
        Probability of applying any of it.
    **kwargs
        ``include``, ``exclude``, ``keep``, ``copy`` and the other options of TorchIO transforms.

    Raises
    ------
    TypeError, ValueError
        If `pipeline` is not a pipeline, or has a `LabelPyramid`, whose lists a label map cannot
        hold.

    Notes
    -----
    Lengths are in mm, by the affine of the first image. Draws depend on torch's generator, as in
    every TorchIO transform, and on the pipeline's seed if it has one. The content moves and the
    affine stays; only crops change it. The subject's history has a `Volaug`, or a `VolaugIntensity`
    if only intensities changed.

    The images lie in one grid. If the axes of one have another order or direction, it is brought
    into the grid of the first and gets its affine; anything else is an error.

    Examples
    --------
    >>> from torchio import ScalarImage
    >>> subject = Subject(t1=ScalarImage(tensor=np.zeros((1, 8, 9, 10), np.float32)))
    >>> RandomVolaug(volaug.Compose([volaug.CenterCrop(8)]))(subject).spatial_shape
    (8, 8, 8)
    """

    def __init__(self, pipeline: Compose | Mapping[str, Any], p: float = 1, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)
        if not isinstance(pipeline, Compose):
            pipeline = Compose.from_dict(as_plain(pipeline))
        if any(isinstance(step, LabelPyramid) for step in pipeline.steps()):
            raise ValueError("a subject cannot hold the labels that LabelPyramid makes")
        # a seed from the operating system would be another one in the next run
        self.pipeline = replace(pipeline, seed=0) if pipeline.seed is None else pipeline
        self.args_names = ["pipeline"]

    def to_hydra_config(self) -> dict[str, Any]:
        """Return plain values, of which Hydra makes this transform."""
        own = {"pipeline": self.pipeline.to_dict(), "p": self.probability}
        return {**super().to_hydra_config(), **own}

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw for a subject, and change its images."""
        images = images_of(self, subject)
        if not images:
            return subject
        if len({tuple(sorted(image.spatial_shape)) for image in images.values()}) > 1:
            subject.check_consistent_spatial_shape()  # which raises, with what they are
        record = self._drawn(images)
        steps = [step for _, step in record.steps]
        intensity = bool(steps) and all(isinstance(step, IntensityOperation) for step in steps)
        transform = (VolaugIntensity if intensity else Volaug)(record, **self._get_base_args())
        # not by a call, which would copy the subject once more
        transform.apply_transform(subject)
        subject.add_transform(transform, transform._get_reproducing_arguments())
        return subject

    def _drawn(self, images: dict[str, Image]) -> Record:
        first = next(iter(images.values()))
        kinds = {name: kind_of(image) for name, image in images.items()}
        channels = {n: len(i.data) for n, i in images.items() if kinds[n] == "image"}
        table = self.pipeline.table
        targets = {}
        for name, kind in kinds.items():
            own = table.get(name)
            targets[name] = own if own and own.kind == kind else table[kind]
        self.pipeline.warn_of_sides(targets)
        # not by `draw`, since a subject may have images of other names than the pipeline's
        return self.pipeline.draw_for(
            Key(self.pipeline.seed or 0, 0, random_number(2**53)),
            checks.as_shape("shape", first.spatial_shape),
            *checks.as_voxel_size(None, first.affine),
            channels or 1,
            targets=targets,
        )


class Volaug(SpatialTransform):  # type: ignore[misc]
    """Apply a record to a subject: what `RandomVolaug` leaves in its history.

    Parameters
    ----------
    record : Record or str
        A record, or its `to_json`. An image whose name and type it does not know, such as a
        prediction, is treated like its first target of that type: a scalar image as an image, any
        other as a label.
    image_interpolation : {"nearest", "linear", "cubic", "bspline"}, optional
        Interpolation of all scalar images. Default: the record's. TorchIO's `get_inverse_transform`
        and the like set it.
    invert_transform : bool, default False
        Whether to undo the record.
    **kwargs
        Options of every TorchIO transform.

    Raises
    ------
    TypeError, ValueError
        If `record` is not a record, or `image_interpolation` is unknown.

    Notes
    -----
    Its inverse is `Record.invert`: it moves voxels back, and leaves values as they are.

    Examples
    --------
    >>> from torchio import ScalarImage
    >>> subject = Subject(t1=ScalarImage(tensor=np.zeros((1, 9, 9, 9), np.float32)))
    >>> record = volaug.Compose([volaug.CenterCrop(8)]).draw((9, 9, 9))
    >>> Volaug(record)(subject).spatial_shape
    (8, 8, 8)
    """

    def __init__(
        self,
        record: Record | str,
        image_interpolation: str | None = None,
        invert_transform: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.record = record if isinstance(record, Record) else Record.from_json(record)
        self.image_interpolation = image_interpolation
        self.invert_transform = invert_transform
        self.args_names = ["record", "image_interpolation", "invert_transform"]

    @property
    def image_interpolation(self) -> str | None:
        """Interpolation of scalar images, if it is not the record's."""
        return self._image_interpolation

    @image_interpolation.setter
    def image_interpolation(self, value: str | None) -> None:
        if value is not None:
            checks.check_choice("image_interpolation", value, [*INTERPOLATIONS])
        self._image_interpolation = value

    def to_hydra_config(self) -> dict[str, Any]:
        """Return plain values, of which Hydra makes this transform."""
        return {**super().to_hydra_config(), "record": self.record.to_json()}

    def apply_transform(self, subject: Subject) -> Subject:
        """Change the images of a subject."""
        images = images_of(self, subject)
        targets = {name: self._target(name, image) for name, image in images.items()}
        record = replace(self.record, targets=targets)
        start = record.crop_start
        affines = {name: image.affine.copy() for name, image in images.items()}
        voxels: dict[str, Any] = {name: image.data for name, image in images.items()}
        results: Mapping[str, Any]
        if self.invert_transform:
            start = -start
            results = record.invert(**voxels)
        else:
            bring_into_one_grid(voxels, affines)
            results = record.apply(**voxels)
        for name, image in images.items():
            image.set_data(as_tensors(results[name]))
            affine = affines[name]
            affine[:3, 3] += affine[:3, :3] @ start
            image.affine = affine
        return subject

    def _target(self, name: str, image: Image) -> Target:
        """How an image is treated."""
        kind = kind_of(image)
        alike = [target for target in self.record.targets.values() if target.kind == kind]
        target = self.record.targets.get(name)
        if target is None or target.kind != kind:
            usual = Target(kind, "label" if kind == "label" else "linear")
            target = next(iter(alike), usual)
            if isinstance(target.cval, list):  # one for each channel of another image
                target = replace(target, cval=0.0)
        if kind == "image" and self.image_interpolation is not None:
            target = replace(target, interpolation=INTERPOLATIONS[self.image_interpolation])
        return target


class VolaugIntensity(Volaug, IntensityTransform):  # type: ignore[misc]
    """A `Volaug` of a record that changes only intensities.

    TorchIO leaves it out where it ignores these. Its inverse does nothing.
    """


def bring_into_one_grid(voxels: dict[str, Any], affines: dict[str, Floats]) -> None:
    """Permute and reverse axes of images so that they are in the grid of the first."""
    first = next(iter(voxels), "")
    for name, value in voxels.items():
        try:
            turn = reorientation(
                voxels[first].shape[1:], affines[first], value.shape[1:], affines[name]
            )
        except ValueError as error:
            raise ValueError(f"{first!r} and {name!r} must lie in one grid: {error}") from None
        if not turn.is_identity:
            voxels[name] = turn.apply(value.numpy())
            affines[name] = affines[first].copy()


def as_plain(value: Any) -> Any:
    """Return dicts and lists, from any mappings and sequences, such as Hydra's."""
    if isinstance(value, Mapping):
        return {name: as_plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_plain(item) for item in value]
    return value


def kind_of(image: Image) -> str:
    """Return the kind of target that an image is."""
    return "image" if image.type == INTENSITY else "label"


def images_of(transform: SpatialTransform, subject: Subject) -> dict[str, Image]:
    """Return the images that a transform is for, by name."""
    names: dict[str, Image] = subject.get_images_dict(
        intensity_only=False, include=transform.include, exclude=transform.exclude
    )
    return names
