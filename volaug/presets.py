"""Pipelines that are ready: nnU-Net's, and two for MRI.

`docs/presets.md` says step for step where the numbers come from.
"""

from collections.abc import Sequence
from typing import Any

from . import checks
from .pipeline.compose import Compose
from .serialization import normalize
from .transforms.base import Transform
from .transforms.ranges import Shape
from .transforms.registry import (
    CenterCrop,
    LabelPyramid,
    MaskImage,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RemapLabels,
)
from .warping.engine.borders import Mode
from .warping.geometry.anatomy import slice_axis_in_2d

# What its segmentations hold outside of a case, until nothing moves any more.
OUTSIDE = -1


def nnunet(
    patch_shape: int | Sequence[int],
    *,
    dummy_2d: bool | None = None,
    slice_axis: int | None = None,
    rotation: float | tuple[float, float] | None = None,
    mirror_axes: int | str | Sequence[int | str] | None = (0, 1, 2),
    masked_channels: Sequence[int] = (),
    deep_supervision: Sequence[float | Sequence[float]] = (),
    seed: int | None = None,
) -> Compose:
    """nnU-Net v2's default training augmentation of an image and its label, in this order.

    Rotation and scaling with the crop in one warp, Gaussian noise, blur, brightness, contrast, low
    resolution, gamma of the inverted image, gamma; each as likely, and drawn from the same
    ranges, as in `nnUNetTrainer.get_training_transforms` of nnunetv2 2.8.

    Parameters
    ----------
    patch_shape : int or (3,) ints
        Of the result, from the middle of what the pipeline is given; nnU-Net loads somewhat more,
        so that a turned patch has no empty corners.
    dummy_2d : bool, optional
        Rotate, scale and lower the resolution within slices alone. By default, as in nnU-Net, if
        the patch is anisotropic: its longest axis is more than 3 times as long as its slice axis.
    slice_axis : int, optional
        The axis across the slices, 0 to 2, which is the one of the largest spacing. By default
        the shortest axis of the patch, wherever it stands: 2 for (256, 256, 20). nnU-Net moves
        the slice axis to the front, so that its own patches have 0. Only dummy 2D depends on it.
    rotation : float or (low, high), optional
        By how many degrees about each axis; a number `a` means -a to a. By default nnU-Net's: 30,
        and in dummy 2D 180 about the slice axis.
    mirror_axes : int, str, tuple of them, or None
        As `axes` of `RandomFlip`. Each is mirrored in half of the samples; none with None or ().
    masked_channels : tuple of ints
        Channels of the image that become 0 where the label is -1: those that nnU-Net normalizes
        within a mask (`use_mask_for_norm`).
    deep_supervision : list of scales, optional
        Make of the label a list of labels: ``[1, 0.5, 0.25]``, or three for each axis.
    seed : int, optional
        See `Compose`.

    Returns
    -------
    Compose
        For a float image that has mean 0 and standard deviation 1, as nnU-Net normalizes it, and a
        label of a signed dtype, such as int16: voxels outside are marked by -1 until nothing moves
        any more, and then become 0. In the image they are 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; also if dummy 2D applies and `slice_axis` is not given,
        while two axes of the patch are equally short, or short and similar in length.

    Notes
    -----
    What differs, and why: see `docs/presets.md`.

    References
    ----------
    F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation", Nature Methods 18, 2021.
    """
    shape = _patch(patch_shape)
    across = slice_axis_in_2d(shape, dummy_2d, slice_axis)
    moves = [_nnunet_rotation(across, rotation), _nnunet_scaling(across)]
    return _nnunet(shape, across, moves, mirror_axes, masked_channels, deep_supervision, seed)


def nnunet_elastic(
    patch_shape: int | Sequence[int],
    *,
    dummy_2d: bool | None = None,
    slice_axis: int | None = None,
    rotation: float | tuple[float, float] | None = None,
    mirror_axes: int | str | Sequence[int | str] | None = (0, 1, 2),
    masked_channels: Sequence[int] = (),
    deep_supervision: Sequence[float | Sequence[float]] = (),
    seed: int | None = None,
) -> Compose:
    """`nnunet` with shear and elastic deformation, each in a fifth of the samples.

    They are in the same warp as rotation and scaling, so that they cost little; nnU-Net leaves
    them out since with it they are too slow. Arguments and result are those of `nnunet`.
    """
    shape = _patch(patch_shape)
    across = slice_axis_in_2d(shape, dummy_2d, slice_axis)
    in_plane: dict[str, Any] = {}
    shear: Any = 0.05
    if across is not None:
        # of the pairs (0, 1), (0, 2) and (1, 2), the one without the slice axis
        shear = _only(2 - across, (-shear, shear), (0.0, 0.0))
        in_plane = {
            "max_displacement": _only(across, 0.0, 7.0),
            "num_control_points": _only(across, 1, 7),
        }
    moves = [
        _nnunet_rotation(across, rotation),
        _nnunet_scaling(across),
        RandomShear(shear, p=0.2),
        RandomElastic(**in_plane, p=0.2),
    ]
    return _nnunet(shape, across, moves, mirror_axes, masked_channels, deep_supervision, seed)


def mild_mri(patch_shape: int | Sequence[int] | None = None, *, seed: int | None = None) -> Compose:
    """Augmentation of head MRI that stays near to what scanners and other heads look like.

    Parameters
    ----------
    patch_shape : int or (3,) ints, optional
        From the middle; all of the image by default.
    seed : int, optional
        See `Compose`.

    Returns
    -------
    Compose
        For images of any scale and dtype but bool: what the steps add is relative to each
        channel's own range or standard deviation. With ``spacing=`` or ``affine=`` lengths are in
        mm. It mirrors left and right: do not use it for labels that tell the sides apart. Which
        axis that is, `affine` says; without it, axis 0, as in nibabel's arrays in canonical (RAS)
        order. Give an affine with arrays in another order, such as SimpleITK's (z, y, x).
    """
    return Compose(
        [
            RandomFlip(axes="LR"),
            RandomAffine(),
            RandomElastic(),
            *_crop(patch_shape),
            RandomLowResolution(p=0.15),
            RandomBlur(p=0.15),
            RandomBiasField(p=0.15),
            RandomGamma(p=0.2),
            RandomBrightness(),
            RandomContrast(),
            RandomNoise(),
        ],
        seed=seed,
    )


def strong_mri(
    patch_shape: int | Sequence[int] | None = None, *, seed: int | None = None
) -> Compose:
    """Augmentation of head MRI up to what is still of use: for small data, or other scanners.

    Arguments and result are those of `mild_mri`.
    """
    return Compose(
        [
            RandomFlip(axes="LR"),
            RandomAffine(degrees=30.0, scale=(0.7, 1.4), shear=0.1, translation=20.0, p=0.5),
            RandomElastic(15.0, p=0.5),
            *_crop(patch_shape),
            RandomLowResolution((0.25, 1.0), p=0.25),
            RandomBlur((0.5, 1.5), p=0.2),
            RandomBiasField(2.0, p=0.3),
            RandomHistogramShift(p=0.2),
            RandomGamma(p=0.3),
            RandomBrightness((0.6, 1.6), p=0.2),
            RandomContrast((0.5, 2.0), p=0.2),
            RandomNoise(0.3, p=0.2),
        ],
        seed=seed,
    )


def _patch(patch_shape: Any) -> Shape:
    given = normalize(patch_shape)
    if not isinstance(given, int | tuple):
        raise TypeError(f"patch_shape must be one or three whole numbers, got {patch_shape!r}")
    return checks.as_shape("patch_shape", given if isinstance(given, tuple) else (given,) * 3)


def _nnunet_rotation(across: int | None, degrees: float | tuple[float, float] | None) -> Transform:
    """In the order of nnU-Net's: what is read is turned about axis 2 last, the picture first."""
    if across is not None:
        return RandomRotation(_only(across, 180.0 if degrees is None else degrees, 0.0), p=0.2)
    angles = 30.0 if degrees is None else degrees
    turns = [RandomRotation(_only(axis, angles, 0.0), p=1.0) for axis in (2, 1, 0)]
    return Compose(turns, p=0.2, name="rotation")


def _only(axis: int, one: Any, others: Any) -> tuple[Any, ...]:
    return tuple(one if number == axis else others for number in range(3))


def _nnunet_scaling(across: int | None) -> Transform:
    # it draws how much of the picture is seen, 0.7 to 1.4 times, and not how large it becomes
    factors: Any = (1.0 / 1.4, 1.0 / 0.7)
    if across is not None:
        factors = _only(across, (1.0, 1.0), factors)
    return RandomScaling(factors, isotropic=True, distribution="inverse-uniform", p=0.2)


def _nnunet(
    shape: Shape,
    across: int | None,
    moves: list[Transform],
    mirror_axes: int | str | Sequence[int | str] | None,
    masked_channels: Sequence[int],
    deep_supervision: Sequence[float | Sequence[float]],
    seed: int | None,
) -> Compose:
    lower: Any = (0.5, 1.0)
    if across is not None:
        lower = _only(across, (1.0, 1.0), lower)
    steps: list[Transform] = [*moves, CenterCrop(shape)]
    axes = () if mirror_axes is None else normalize(mirror_axes)
    if axes != ():
        steps.append(RandomFlip(axes))
    steps += [
        RandomNoise(0.1, relative=False, p=0.1),
        RandomBlur((0.5, 1.0), per_channel=True, p_channel=0.5, truncate=3.0, p=0.2),
        RandomBrightness((0.75, 1.25), per_channel=True, p=0.15),
        RandomContrast((0.75, 1.25), per_channel=True, p=0.15),
        RandomLowResolution(lower, per_channel=True, p_channel=0.5, p=0.25),
        RandomGamma((0.7, 1.5), p_inverted=1.0, per_channel=True, p=0.1, name="inverted gamma"),
        RandomGamma((0.7, 1.5), p_inverted=0.0, per_channel=True, p=0.3),
    ]
    if masked := _some("masked_channels", masked_channels):
        steps.append(MaskImage(channels=masked))
    steps.append(RemapLabels(OUTSIDE, new=0))
    if scales := _some("deep_supervision", deep_supervision):
        steps.append(LabelPyramid(scales))
    borders: dict[str, Mode] = {"image": "grid-constant", "label": "grid-constant"}
    return Compose(steps, mode=borders, cval={"label": OUTSIDE}, seed=seed)


def _some(name: str, value: Any) -> tuple[Any, ...]:
    """What a list, a tuple or an array holds."""
    given = normalize(value)
    if not isinstance(given, tuple):
        raise TypeError(f"{name} must be a list or a tuple, got {value!r}")
    return given


def _crop(patch_shape: int | Sequence[int] | None) -> list[Transform]:
    return [] if patch_shape is None else [CenterCrop(_patch(patch_shape))]
