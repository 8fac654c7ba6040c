"""Rows of the tables of `docs/from_others.md`: their transform and ours make the same image.

Draws have ranges of one number, so that nothing is left to chance.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import volaug

RADIANS, DEGREES = 0.35, float(np.degrees(0.35))
AFFINE = np.diag([1.0, 1.2, 1.5, 1.0])
INNER = (slice(9, -9),) * 3  # without what a blur does at the borders

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def volume():
    """Return a smooth image from -1 to 2, new each time: some of theirs write into it."""
    noise = gaussian_filter(np.random.default_rng(0).random((40, 48, 44)), 2)
    return (3 * (noise - noise.min()) / np.ptp(noise) - 1).astype(np.float32)


def ours(step, mode="grid-constant", **known):
    pipeline = volaug.Compose([step], seed=0, mode={"image": mode})
    return pipeline(image=volume(), index=0, **known)["image"]


def assert_same(theirs, image, inside=...):
    assert np.abs(image - volume()).max() > 0.05
    np.testing.assert_allclose(np.asarray(image)[inside], np.asarray(theirs)[inside], atol=5e-5)


def one(axis, value, rest=0):
    """Return a range of one number for an axis of three."""
    return tuple((value, value) if each == axis else rest for each in range(3))


def monai_rows():
    return {
        **{
            f"shear {number}": (
                "RandAffine",
                {"shear_range": [(0.2, 0.2) if n == number else 0 for n in range(6)]},
                volaug.RandomShear(one(axis, -0.2), p=1.0),
            )
            for number, axis in ((0, 0), (1, 1), (3, 2))
        },
        "range_z": (
            "RandRotate",
            {"range_z": (RADIANS, RADIANS)},
            volaug.RandomRotation(one(2, -DEGREES), p=1.0),
        ),
        "flip": ("RandFlip", {"spatial_axis": 1}, volaug.RandomFlip(1, p=1.0)),
        "brightness": (
            "RandScaleIntensity",
            {"factors": (0.25, 0.25)},
            volaug.RandomBrightness((1.25, 1.25), p=1.0),
        ),
        "contrast": (
            "RandScaleIntensityFixedMean",
            {"factors": (0.25, 0.25)},
            volaug.RandomContrast((1.25, 1.25), preserve_range=False, p=1.0),
        ),
        "std shift": (
            "RandStdShiftIntensity",
            {"factors": (0.5, 0.5)},
            volaug.RandomBrightness((1, 1), std_shift=(0.5, 0.5), p=1.0),
        ),
    }


@pytest.mark.oracle("monai")
@pytest.mark.parametrize("row", monai_rows())
def test_monai(row):
    import monai.transforms

    name, arguments, step = monai_rows()[row]
    if name in ("RandAffine", "RandRotate"):
        arguments = {**arguments, "padding_mode": "zeros"}
    transform = getattr(monai.transforms, name)(prob=1.0, **arguments)
    assert_same(transform(volume()[np.newaxis])[0], ours(step))


@pytest.mark.oracle("monai")
def test_monai_of_one_call():
    from monai.transforms import NormalizeIntensity, RandAffine, ScaleIntensityRangePercentiles

    image = volume()[np.newaxis]
    reflected = RandAffine(prob=1.0, translate_range=((5, 5), 0, 0))(image)[0]
    step = volaug.RandomTranslation(one(0, -5), p=1.0)
    assert_same(reflected, ours(step, mode="reflect"))
    assert_same(NormalizeIntensity()(image)[0], ours(volaug.Normalize()))
    percentiles = ScaleIntensityRangePercentiles(1, 99, 0, 1, clip=True)(image)[0]
    assert_same(percentiles, ours(volaug.Normalize("percentiles", percentiles=(1, 99))))


@pytest.mark.oracle("torchio", "torch")
def test_torchio():
    import torch
    import torchio as tio

    def theirs(transform, image=None):
        tensor = torch.from_numpy((volume() if image is None else image)[np.newaxis])
        return transform(tio.ScalarImage(tensor=tensor, affine=AFFINE)).data[0].numpy()

    # about axis 1, then 0, then 2
    angles = 20.0, 12.0, 8.0
    turned = theirs(
        tio.RandomAffine(
            scales=(1, 1), degrees=tuple(np.repeat(angles, 2).tolist()), default_pad_value=0
        )
    )
    turns = [
        volaug.RandomRotation(one(axis, angles[axis]), p=1.0, name=str(axis)) for axis in (1, 0, 2)
    ]
    pipeline = volaug.Compose(turns, seed=0, mode={"image": "edge-constant"})
    assert_same(turned, pipeline(image=volume(), affine=AFFINE, index=0)["image"])

    blurred = theirs(tio.RandomBlur((1.5, 1.5)))
    assert_same(blurred, ours(volaug.RandomBlur((1.5, 1.5), p=1.0), affine=AFFINE), INNER)
    assert_same(theirs(tio.ZNormalization()), ours(volaug.Normalize()))
    rescaled = theirs(tio.RescaleIntensity((0, 1), percentiles=(1, 99)))
    assert_same(rescaled, ours(volaug.Normalize("percentiles", percentiles=(1, 99))))

    unit = (volume() + 1) / 3
    gamma = theirs(tio.RandomGamma(log_gamma=(0.3, 0.3)), unit)
    step = volaug.RandomGamma((np.exp(0.3),) * 2, p_inverted=0, retain_statistics=False, p=1.0)
    image = volaug.Compose([step], seed=0)(image=unit, index=0)["image"]
    np.testing.assert_allclose(image, gamma, atol=1e-6)


@pytest.mark.oracle("batchgeneratorsv2", "torch")
def test_batchgeneratorsv2():
    import torch
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
    from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform

    for transform, step in (
        (
            MultiplicativeBrightnessTransform((1.25, 1.25), False),
            volaug.RandomBrightness((1.25, 1.25), p=1.0),
        ),
        (
            ContrastTransform((1.25, 1.25), True, False),
            volaug.RandomContrast((1.25, 1.25), p=1.0),
        ),
        (
            SimulateLowResolutionTransform((0.5, 0.5), True, True, None),
            volaug.RandomLowResolution((0.5, 0.5), p=1.0),
        ),
    ):
        theirs = transform(image=torch.from_numpy(volume()[np.newaxis]))["image"][0]
        assert_same(theirs, ours(step))
