"""Normalization against that of nnU-Net, MONAI and TorchIO."""

import numpy as np
import pytest

from volaug import Compose, Normalize

SHAPE = (31, 36, 41)


def head():
    """A skull-stripped head: 0 outside of an ellipsoid. And its mask."""
    rng = np.random.default_rng(4)
    axes = np.ogrid[tuple(slice(-1, 1, 1j * n) for n in SHAPE)]
    brain = sum((axis * width) ** 2 for axis, width in zip(axes, (1.2, 1.1, 1.4), strict=True)) < 1
    image = np.where(brain, rng.gamma(9.0, 50.0, SHAPE), 0.0).astype(np.float32)
    return image, brain


def ours(step, image, **targets):
    pipeline = Compose([step], seed=0, targets={"brain": "label"})
    return pipeline(image=image, **targets, index=0)["image"]


@pytest.mark.oracle("nnunetv2")
def test_nnunets_schemes():
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes

    image, brain = head()
    seg = np.where(brain, 0, -1)[None]
    whole = schemes.ZScoreNormalization(False, {}).run(image[None].copy())
    np.testing.assert_allclose(ours(Normalize(), image), whole[0], atol=1e-5)
    masked = schemes.ZScoreNormalization(True, {}).run(image[None].copy(), seg)
    for mask in ("brain", 0.0):
        result = ours(Normalize(mask=mask, fill=0.0), image, brain=brain)
        np.testing.assert_allclose(result, masked[0], atol=1e-5)
    unit = schemes.RescaleTo01Normalization(None, {}).run(image[None].copy())
    step = Normalize("percentiles", percentiles=(0, 100))
    np.testing.assert_allclose(ours(step, image), unit[0], atol=1e-6)
    # the fixed numbers of a data set
    known = {"mean": 310.0, "std": 120.0, "percentile_00_5": 40.0, "percentile_99_5": 800.0}
    tomography = schemes.CTNormalization(None, known).run(image[None].copy())
    ends = (40.0 - 310.0) / 120.0, (800.0 - 310.0) / 120.0
    step = Normalize("window", window=(40.0, 800.0), output_range=ends)
    np.testing.assert_allclose(ours(step, image), tomography[0], atol=1e-5)


@pytest.mark.oracle("monai")
def test_monais_transforms():
    from monai.transforms import (
        NormalizeIntensity,
        ScaleIntensity,
        ScaleIntensityRange,
        ScaleIntensityRangePercentiles,
    )

    image, _ = head()
    image = np.stack([image, 3 * image + (image > 0)])
    pairs = [
        (Normalize(), NormalizeIntensity(channel_wise=True), 1e-5),
        (
            Normalize(mask=0.0, fill=0.0),
            NormalizeIntensity(nonzero=True, channel_wise=True),
            1e-5,
        ),
        (Normalize("percentiles", percentiles=(0, 100)), ScaleIntensity(channel_wise=True), 1e-6),
        (
            Normalize("percentiles", percentiles=(60, 97), output_range=(-1, 1)),
            ScaleIntensityRangePercentiles(60, 97, -1, 1, clip=True, channel_wise=True),
            1e-5,
        ),
        (
            Normalize("window", window=(100, 700), output_range=(0, 2), clip=False),
            ScaleIntensityRange(100, 700, 0, 2),
            1e-5,
        ),
    ]
    for step, theirs, atol in pairs:
        np.testing.assert_allclose(ours(step, image), np.asarray(theirs(image.copy())), atol=atol)


@pytest.mark.oracle("torchio")
def test_torchios_transforms():
    import torch
    import torchio as tio

    image, brain = head()
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=torch.from_numpy(image[None])),
        brain=tio.LabelMap(tensor=torch.from_numpy(brain[None].astype(np.uint8))),
    )
    pairs = [
        (Normalize(), tio.ZNormalization()),
        (Normalize(mask="brain"), tio.ZNormalization(masking_method="brain")),
        (Normalize(mask=200.0), tio.ZNormalization(masking_method=lambda x: x > 200)),
        (
            Normalize("percentiles", output_range=(-1, 1), mask="brain"),
            tio.RescaleIntensity((-1, 1), (0.5, 99.5), masking_method="brain"),
        ),
        (
            Normalize("percentiles", percentiles=(60, 97)),
            tio.RescaleIntensity((0, 1), (60, 97)),
        ),
    ]
    for step, theirs in pairs:
        expected = theirs(subject)["image"].numpy()[0]
        result = ours(step, image, brain=brain)
        # its deviation is the square root of a sum over n - 1
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5)
