"""Presets: nnU-Net's pipeline, and two for MRI. `docs/presets.md` has the sources of numbers."""

from collections.abc import Sequence
from typing import Any

from . import checks
from .pipeline.compose import Compose
from .pipeline.targets import Swap
from .serialization import normalize
from .transforms.base import Transform
from .transforms.ranges import Shape, only
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

# Value of nnU-Net's segmentations outside of a case, until the last spatial step.
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
    swap: Swap = None,
    seed: int | None = None,
) -> Compose:
    """Return nnU-Net v2's default training augmentation of an image and its label.

    The steps, probabilities and ranges of nnunetv2 2.8 (Isensee et al., Nature Methods 18, 2021).
    `docs/presets.md` lists the steps, and what differs. See also `nnunet_elastic`.

    Parameters
    ----------
    patch_shape : int or (3,) ints
        Shape of the result, cropped from the middle; a larger input fills rotated corners.
    dummy_2d : bool, optional
        Whether to rotate, scale and lower the resolution within slices only. Default, as in
        nnU-Net: if the longest axis of the patch is more than 3 times as long as its slice axis.
    slice_axis : int, optional
        Axis across the slices, 0 to 2, for dummy 2D. Default: the shortest of the patch.
    rotation : float or (low, high), optional
        Degrees about each axis; `a` means -a to a. Default: 30; in dummy 2D 180 across slices.
    mirror_axes : int, str, tuple of them, or None; default (0, 1, 2)
        As `axes` of `RandomFlip`, each with probability 0.5; None or () for no mirroring.
    masked_channels : tuple of ints, default ()
        Channels of the image that become 0 where the label is -1; nnU-Net's `use_mask_for_norm`.
    deep_supervision : list of scales, default ()
        Scales of a `LabelPyramid`: ``[1, 0.5, 0.25]``, or three per scale. Without, one label.
    swap, seed : optional
        As in `Compose`; nnU-Net swaps no labels of the left and the right.

    Returns
    -------
    Compose
        Pipeline for a float image of mean 0 and standard deviation 1, as nnU-Net normalizes it, and
        a label of a signed dtype. Outside of the image, the result is 0 in both.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the type above or out of range; also if dummy 2D applies,
        `slice_axis` is not given, and two axes of the patch are equally short, or short and similar
        in length.

    Examples
    --------
    >>> pipeline = volaug.presets.nnunet(16, deep_supervision=[1, 0.5], seed=7)
    >>> image, label = np.zeros((20, 20, 20), np.float32), np.zeros((20, 20, 20), np.int16)
    >>> [level.shape for level in pipeline(image=image, label=label, index=0)["label"]]
    [(16, 16, 16), (8, 8, 8)]
    """
    shape = _patch(patch_shape)
    across = slice_axis_in_2d(shape, dummy_2d, slice_axis)
    moves = [_nnunet_rotation(across, rotation), _nnunet_scaling(across)]
    return _nnunet(shape, across, moves, mirror_axes, masked_channels, deep_supervision, swap, seed)


def nnunet_elastic(
    patch_shape: int | Sequence[int],
    *,
    dummy_2d: bool | None = None,
    slice_axis: int | None = None,
    rotation: float | tuple[float, float] | None = None,
    mirror_axes: int | str | Sequence[int | str] | None = (0, 1, 2),
    masked_channels: Sequence[int] = (),
    deep_supervision: Sequence[float | Sequence[float]] = (),
    swap: Swap = None,
    seed: int | None = None,
) -> Compose:
    """Return `nnunet` with shear and elastic deformation in its warp, each with probability 0.2.

    Parameters
    ----------
    patch_shape, dummy_2d, slice_axis, rotation, mirror_axes, masked_channels : optional
        As in `nnunet`.
    deep_supervision, swap, seed : optional
        As in `nnunet`.

    Returns
    -------
    Compose
        As `nnunet`, which also says what is refused.

    Examples
    --------
    >>> [type(step).__name__ for step in volaug.presets.nnunet_elastic(16).steps()][4:6]
    ['RandomShear', 'RandomElastic']
    """
    shape = _patch(patch_shape)
    across = slice_axis_in_2d(shape, dummy_2d, slice_axis)
    in_plane: dict[str, Any] = {}
    shear: Any = 0.05
    if across is not None:
        # of the pairs (0, 1), (0, 2) and (1, 2), the one without the slice axis
        shear = only(2 - across, (-shear, shear), (0.0, 0.0))
        in_plane = {
            "max_displacement": only(across, 0.0, 7.0),
            "num_control_points": only(across, 1, 7),
        }
    moves = [
        _nnunet_rotation(across, rotation),
        _nnunet_scaling(across),
        RandomShear(shear, p=0.2),
        RandomElastic(**in_plane, p=0.2),
    ]
    return _nnunet(shape, across, moves, mirror_axes, masked_channels, deep_supervision, swap, seed)


def mild_mri(
    patch_shape: int | Sequence[int] | None = None, *, swap: Swap = None, seed: int | None = None
) -> Compose:
    """Return augmentation of head MRI that stays close to real scanners and heads.

    Parameters
    ----------
    patch_shape : int or (3,) ints, optional
        Shape of the result, cropped from the middle. Default: the whole image.
    swap : set of (int, int), or mapping from names to them, optional
        Pairs of labels of the left and the right side, see `Compose`; empty if no label has one.
    seed : int, optional
        Seed of all draws; see `Compose`.

    Returns
    -------
    Compose
        Pipeline for images of any dtype but bool. It flips left and right.

    Examples
    --------
    >>> volaug.presets.mild_mri(16, seed=7).transforms[0]
    RandomFlip(axes='LR')
    """
    return Compose(
        [
            RandomFlip("LR"),
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
        swap=swap,
        seed=seed,
    )


def strong_mri(
    patch_shape: int | Sequence[int] | None = None, *, swap: Swap = None, seed: int | None = None
) -> Compose:
    """Return augmentation of head MRI for small data sets and other scanners.

    Parameters
    ----------
    patch_shape, swap, seed : optional
        As in `mild_mri`.

    Returns
    -------
    Compose
        As `mild_mri`.

    Examples
    --------
    >>> volaug.presets.strong_mri(16).transforms[2]
    RandomElastic(max_displacement=15.0, p=0.5)
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
        swap=swap,
        seed=seed,
    )


def _patch(patch_shape: Any) -> Shape:
    given = normalize(patch_shape)
    if not isinstance(given, int | tuple):
        raise TypeError(f"patch_shape must be one or three whole numbers, got {patch_shape!r}")
    return checks.as_shape("patch_shape", given if isinstance(given, tuple) else (given,) * 3)


def _nnunet_rotation(across: int | None, degrees: float | tuple[float, float] | None) -> Transform:
    """Compose nnU-Net's rotations: of its coordinates about axis 2 last, of the image first."""
    if across is not None:
        return RandomRotation(only(across, 180.0 if degrees is None else degrees, 0.0), p=0.2)
    angles = 30.0 if degrees is None else degrees
    turns = [RandomRotation(only(axis, angles, 0.0), p=1.0) for axis in (2, 1, 0)]
    return Compose(turns, p=0.2, name="rotation")


def _nnunet_scaling(across: int | None) -> Transform:
    # nnU-Net draws the visible share of the image, 0.7 to 1.4, and not its magnification
    factors: Any = (1.0 / 1.4, 1.0 / 0.7)
    factors = factors if across is None else only(across, (1.0, 1.0), factors)
    return RandomScaling(factors, isotropic=True, distribution="inverse-uniform", p=0.2)


def _nnunet(
    shape: Shape,
    across: int | None,
    moves: list[Transform],
    mirror_axes: int | str | Sequence[int | str] | None,
    masked_channels: Sequence[int],
    deep_supervision: Sequence[float | Sequence[float]],
    swap: Swap,
    seed: int | None,
) -> Compose:
    lower: Any = (0.5, 1.0) if across is None else only(across, (1.0, 1.0), (0.5, 1.0))
    steps: list[Transform] = [*moves, CenterCrop(shape)]
    if mirror_axes is not None and (axes := normalize(mirror_axes)) != ():
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
    return Compose(steps, mode=borders, cval={"label": OUTSIDE}, swap=swap, seed=seed)


def _some(name: str, value: Any) -> tuple[Any, ...]:
    """Return the items of a list, a tuple or an array."""
    given = normalize(value)
    if not isinstance(given, tuple):
        raise TypeError(f"{name} must be a list or a tuple, got {value!r}")
    return given


def _crop(patch_shape: int | Sequence[int] | None) -> list[Transform]:
    return [] if patch_shape is None else [CenterCrop(_patch(patch_shape))]
