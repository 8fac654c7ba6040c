"""`volaug.plot` draws any image, with any label, and says all of its words."""

from collections import UserDict

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nibabel")

from matplotlib.colors import to_hex

import volaug
from support.figures import (
    SHAPE,
    affine_of,
    axes_of,
    check_layout,
    rendered,
    said,
)
from support.volumes import random_volume
from volaug import (
    Compose,
    RandomAffine,
    RandomBlur,
    RandomElastic,
    RandomHistogramShift,
    RandomNoise,
)
from volaug.plotting.outlines import color_of

LONG = "a step whose name is so long that it has to be wrapped, and that costs $5 or $6 " * 2


def twelve_steps():
    return [
        RandomAffine(p=1.0), RandomElastic(p=1.0), RandomNoise(p=1.0), RandomBlur(p=1.0),
        RandomHistogramShift(num_control_points=25, p=1.0, name=LONG),
        *(RandomNoise(p=1.0, per_channel=True, name=f"noise {n}") for n in range(7)),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(24, 28, 30), (64, 64, 5), (5, 60, 8), (20, 1, 30), (30, 30, 1)])
def test_the_words_are_all_there(shape):
    pipeline = Compose(twelve_steps(), seed=3, swap=set())
    label = random_volume(shape, np.uint8) % 4
    image = random_volume((3, *shape))
    sample = pipeline(image=image, label=label, index=1, affine=np.diag((1, 1, 2.0, 1)))
    figure = volaug.plot(sample)
    assert " ".join(str(sample).split()) in said(figure)
    check_layout(figure)


def test_a_sample_has_its_own_affine_and_names():
    pipeline = Compose([], targets={"t2": "image", "lesion": "label", "marks": "points"}, seed=1)
    label = np.zeros(SHAPE, np.uint8)
    label[4:9, 5:12, 6:13] = 3
    sample = pipeline(
        t2=random_volume(SHAPE), lesion=label, marks=[[7, 9, 11]],
        affine=affine_of("LAS"), index=0,
    )  # fmt: skip
    figure = volaug.plot(sample)
    assert [*axes_of(figure)] == ["Sagittal", "Coronal", "Axial"]
    assert "t2: black is" in said(figure)
    assert all(to_hex(axes.collections[0].get_colors()[0]) == color_of(3) for axes in figure.axes)
    assert all(len(axes.lines[0].get_xydata()) == 1 for axes in figure.axes)


def images():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=SHAPE)
    with_nan = normal.astype(np.float32)
    with_nan[4:9] = np.nan
    with_nan[0, 0, 0] = np.inf
    yield "constant", {"image": np.full(SHAPE, 3.5)}
    yield "negative constant", {"image": np.full(SHAPE, -7, np.int16)}
    yield "zeros", {"image": np.zeros(SHAPE, np.uint8)}
    yield "nan", {"image": with_nan}
    yield "nothing but nan", {"image": np.full(SHAPE, np.nan)}
    yield "a slice", {"image": normal[:, :, :1], "label": normal[:, :, :1] > 1}
    yield "a slice along axis 0", {"image": normal[:1]}
    yield "a line", {"image": normal[:1, :1], "label": normal[:1, :1] > 1}
    yield "a voxel", {"image": normal[:1, :1, :1], "label": np.ones((1, 1, 1), bool)}
    yield "bool", {"image": normal > 0, "label": normal > 1}
    yield "float16", {"image": normal.astype(np.float16), "label": (normal > 1).astype(np.float16)}
    yield "int64", {"image": (normal * 1e15).astype(np.int64)}
    yield "channels", {"image": np.stack([normal, 2 * normal]), "label": normal[None] > 1}
    yield "an empty label", {"image": normal, "label": np.zeros(SHAPE, np.uint8)}
    yield "big-endian", {"image": normal.astype(">f4"), "label": (normal > 1).astype(">i2")}
    yield "probability", {"image": normal, "label": rng.random(SHAPE)}
    yield "one-hot", {"image": normal, "label": np.stack([normal < 0, normal >= 0])}
    yield "300 labels", {"image": normal, "label": rng.integers(0, 300, SHAPE) + 2**40}
    yield "a pyramid", {"image": normal, "label": [normal > 1, normal[::2, ::2, ::2] > 1]}
    yield "lists", {"image": normal.tolist(), "label": (normal > 1).tolist()}
    yield (
        "other names",
        UserDict({"a_" + "very_" * 30 + "long_name": normal, "key": "k", 3: normal}),
    )


@pytest.mark.slow
@pytest.mark.parametrize("affine", [None, affine_of("PSR")], ids=["no affine", "PSR"])
@pytest.mark.parametrize("sample", [pytest.param(s, id=name) for name, s in images()])
def test_any_image_is_drawn(sample, affine):
    figure = volaug.plot(sample, affine=affine)
    check_layout(figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    image = np.asarray(next(iter(sample.values())))
    assert len(figure.axes) == (1 if image.shape.count(1) == 1 else 3)


def test_a_channel_is_drawn():
    image = random_volume((3, *SHAPE))
    for channel in range(3):
        figure = volaug.plot({"image": image}, channel=channel)
        np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image[channel, 7].T)
        assert f"image, channel {channel} of 0 to 2" in said(figure)


def test_an_image_is_drawn_by_its_name():
    sample = {"t1": random_volume(SHAPE), "label": np.ones(SHAPE, bool), "t2": np.ones(SHAPE)}
    assert (volaug.plot(sample, image="t2").axes[0].images[0].get_array() == 1).all()
    shown = volaug.plot(sample).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, sample["t1"][7].T)


def test_nan_is_purple_and_white_is_the_brightest():
    image = np.zeros((20, 20, 20), np.float32)
    image[8:12, :, :10] = np.nan
    image[:, :, 10:] = 5
    pixels = rendered(volaug.plot({"image": image}))
    purple = (pixels == (0x5F, 0x3A, 0x75)).all(axis=2)
    assert purple.mean() > 0.03
    assert (pixels == 255).all(axis=2).mean() > 0.1


@pytest.mark.slow
def test_tensors_are_drawn():
    torch = pytest.importorskip("torch")
    image = torch.rand(2, *SHAPE)
    figure = volaug.plot({"image": image, "label": image[:1] > 0.9, "affine": torch.eye(4)})
    assert [*axes_of(figure)] == ["Sagittal", "Coronal", "Axial"]
