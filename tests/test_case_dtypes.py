"""Cases of several dtypes and channels make a batch if they fit, or are converted on request."""

import numpy as np
import pytest

from support.cases import AFFINE, IMAGE, LABEL, SHAPE, STEPS, Lazy, same
from volaug import CaseError, Compose, Stream


def mixed_cases(folder):
    """One picture as several dtypes, in memory, in a file, and read lazily."""
    ints = np.abs(1000 * IMAGE).astype(np.int16)
    np.save(folder / "image.npy", ints.astype(np.uint16))
    images = (ints, ints.astype(np.float64), Lazy(ints.astype(np.float32)), folder / "image.npy")
    return [{"image": image, "label": LABEL} for image in images]


@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype(np.float16)])
def test_images_are_converted_and_labels_are_not(tmp_path, dtype):
    cases, pipeline = mixed_cases(tmp_path), Compose(STEPS)
    expected = {"image": cases[0]["image"].astype(dtype), "label": LABEL}
    options = {"patch_shape": 16, "batch_size": 4, "seed": 3, "foreground": 0.0}
    with Stream(cases, pipeline, dtype=dtype, **options) as made:
        batch = next(made)
    with Stream([expected] * 4, pipeline, **options) as made:
        same(batch, next(made))
    assert batch["image"].dtype == dtype
    assert batch["label"].dtype == np.int16


def test_cases_of_several_dtypes_are_said_in_words(tmp_path):
    made = Stream(mixed_cases(tmp_path), Compose([]), patch_shape=8, batch_size=4, seed=1)
    message = (
        r"'image' must be int16 with 1 channel, as case 0 has it, got \w+ with 1 channel: dtype= "
        r"of the stream converts images"
    )
    with pytest.raises(CaseError, match=message):
        next(made)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"image": np.stack([IMAGE, IMAGE])}, "float32 with 1 channel, .* got float32 with 2 chan"),
        ({"image": IMAGE, "points": [[1, 2, 3]]}, "must have image, as case 0 has, got image, poi"),
        ({"image": IMAGE, "affine": AFFINE}, "must have image, as case 0 has, got affine, image"),
        ({"image": IMAGE, "label": LABEL}, "must have image, as case 0 has, got image, label"),
    ],
)
def test_cases_that_do_not_fit_into_one_batch(other, message):
    made = Stream([{"image": IMAGE}, other], Compose([]), patch_shape=8, batch_size=2, seed=1)
    with pytest.raises(CaseError, match=rf"case 1 \(epoch 0, index 1\): .*{message}"):
        next(made)


def test_one_channel_fits_with_and_without_an_axis():
    cases = [{"image": IMAGE}, {"image": IMAGE[None]}]
    with Stream(cases, Compose([]), patch_shape=SHAPE, batch_size=2, seed=1) as made:
        batch = next(made)["image"]
    np.testing.assert_array_equal(batch[0], batch[1])


@pytest.mark.parametrize("dtype", ["int16", "float128", "bfloat16", complex, 3, "no"])
def test_a_wrong_dtype(dtype):
    with pytest.raises(ValueError, match="dtype must be float16, float32, float64 or None, got"):
        Stream([{"image": IMAGE}], Compose([]), patch_shape=8, batch_size=1, seed=1, dtype=dtype)


def test_a_dtype_that_is_too_small():
    options = {"patch_shape": 8, "batch_size": 1, "seed": 1, "dtype": "float16"}
    made = Stream([{"image": 1e6 + IMAGE}], Compose([]), **options)
    with pytest.raises(CaseError, match="'image' must fit into float16, got 99"):
        next(made)
