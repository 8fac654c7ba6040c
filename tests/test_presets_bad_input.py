"""Presets refuse wrong options, and pipelines refuse volumes that cannot hold their fills."""

import numpy as np
import pytest

from support.preset_samples import NNUNETS, PATCH, PRESETS, SHAPE, image_of
from volaug import Compose, MaskImage, RemapLabels, Stream


@pytest.mark.parametrize("patch", [(16, 16), 0, (16, 16, -1), 16.0, (16, 16, 16.0), "large", True])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_bad_patch_is_said(preset, patch):
    with pytest.raises((TypeError, ValueError), match=r"shape must be .*got"):
        preset(patch)


@pytest.mark.parametrize(
    "options",
    [
        {"patch_shape": None},
        {"dummy_2d": 1},
        {"dummy_2d": "yes"},
        {"slice_axis": 3},
        {"slice_axis": -1},
        {"slice_axis": 1.0},
        {"slice_axis": "SI"},
        {"slice_axis": True},
        {"mirror_axes": "RL"},
        {"mirror_axes": ("RL",)},
        {"mirror_axes": (3,)},
        {"mirror_axes": (0, 0)},
        {"mirror_axes": True},
        {"mirror_axes": 3},
        {"mirror_axes": 1.5},
        {"masked_channels": (-1,)},
        {"masked_channels": (0.5,)},
        {"masked_channels": 0.5},
        {"masked_channels": 0},  # which is not none at all
        {"deep_supervision": [2]},
        {"deep_supervision": [[1, 0.5]]},
        {"deep_supervision": 0.5},
        {"seed": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_bad_option_is_said(preset, options):
    with pytest.raises((TypeError, ValueError), match=r" must .*got"):
        preset(**{"patch_shape": 16, **options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_shape", 16),
        ("patch_shape", (16, 16, 16)),
        ("mirror_axes", (0, 2)),
        ("mirror_axes", 0),
        ("masked_channels", (0, 1)),
        ("deep_supervision", (1.0, 0.5)),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_options_may_be_numpys(preset, name, value):
    given = {"patch_shape": 16, name: np.array(value)[()]}
    assert preset(**given) == preset(**{"patch_shape": 16, name: value})


@pytest.mark.parametrize(
    ("label", "channels", "message"),
    [
        (
            np.ones(SHAPE, np.int16),
            (2,),
            "'image' that Mask changes must be less than 2",
        ),
        (np.ones(SHAPE, np.uint8), (), "'label': .* uint8, .*outside of 'label' by -1: .* int16"),
        (None, (0,), "unknown label that masks the image 'label'"),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_sample_that_it_is_not_for_is_said_before_any_work(preset, label, channels, message):
    out = np.full((2, *PATCH), np.nan, np.float32)
    volumes = {"image": image_of()} if label is None else {"image": image_of(), "label": label}
    pipeline = preset(PATCH, masked_channels=channels, seed=0)
    for index in range(5):
        with pytest.raises(ValueError, match=message):
            pipeline(**volumes, out={"image": out}, index=index)
    assert np.isnan(out).all()


class Lazy:
    """What is sliced like an array, as in an HDF5 file, and not read before."""

    def __init__(self, array):
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, window):
        raise AssertionError("nothing needs to be read")


OUTSIDE = "outside of 'label' by -1: give it .* such as int16"


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_label_that_cannot_be_minus_1_is_refused_at_once(preset, dtype):
    """In words, and before a stream makes a batch."""
    image, label = image_of(), np.ones(SHAPE, dtype)
    pipeline = preset(PATCH, seed=0)
    record = pipeline.draw(SHAPE, index=0)
    calls = [
        lambda: pipeline(image=image, label=label, index=0),
        lambda: record.apply(label=label),
        lambda: record.invert(label=np.ones(PATCH, dtype)),
        lambda: Stream([{"label": label}], pipeline, patch_shape=PATCH, batch_size=1, seed=0),
        lambda: Stream([{"label": Lazy(label)}], pipeline, patch_shape=8, batch_size=1, seed=0),
        lambda: Stream(
            [lambda: {"image": image, "label": label}],
            pipeline, patch_shape=PATCH, batch_size=1, seed=0,
        ),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=OUTSIDE):
            call()
    for signed in ("int8", "int16", "int32", "int64", "float32"):
        assert pipeline(image=image, label=label.astype(signed), index=0)["label"].dtype == signed


@pytest.mark.parametrize(
    ("name", "dtype", "cval", "advice"),
    [
        ("label", "uint8", 256, "int16"),
        ("label", "int16", 40000, "int32"),
        ("label", "int32", 2**40, "int64"),
        ("label", "int16", 0.5, "float32"),
        ("label", "int16", np.nan, "float32"),
        ("label", "float16", 1e6, "int32"),
        ("image", "uint8", -1, "int16"),
        ("image", "uint16", -1, "int32"),
        ("image", "int16", -1e-3, "float32"),
        ("image", "int64", 0.5, "float64"),
        ("image", "float16", 1e5, "float32"),
        ("image", "uint8", (0, -3), "int16"),
    ],
)
def test_a_fill_that_a_dtype_cannot_hold_is_refused_with_advice(name, dtype, cval, advice):
    volume = np.ones((2, *SHAPE), dtype)
    pipeline = Compose([], cval={name: cval}, seed=0)
    case = {name: volume}
    for call in (
        lambda: pipeline(**case, index=0),
        lambda: Stream([case], pipeline, patch_shape=8, batch_size=1, seed=0),
    ):
        with pytest.raises(ValueError, match=f"'{name}': cval must .*got .*such as {advice}$"):
            call()
    assert pipeline(**{name: volume.astype(advice)}, index=0)[name].dtype == advice


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cval": {"label": (1, 2, 3)}}, "'label': cval must .* each of 1 channels, got .*3.$"),
        ({"transforms": [MaskImage(value=-1)]}, "value must .* uint8, 0 to 255, got -1"),
        (
            {"transforms": [MaskImage(value=0, channels=3)]},
            "that Mask changes must be less than 1",
        ),
        ({"transforms": [MaskImage("t2", p=0.01)]}, "unknown label that masks the image 't2'"),
        ({"transforms": [RemapLabels(0, new=300)]}, "'label' of uint8 cannot hold the label 300"),
    ],
)
def test_what_no_draw_can_do_is_refused_when_a_stream_is_made(options, message):
    pipeline = Compose(**{"transforms": [], **options})
    case = {"image": np.ones(SHAPE, np.uint8), "label": np.ones(SHAPE, np.uint8)}
    with pytest.raises(ValueError, match=message):
        Stream([case], pipeline, patch_shape=8, batch_size=1, seed=0)
