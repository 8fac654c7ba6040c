"""Steps for some targets, or some of their channels, alone."""

import json
import tracemalloc

import numpy as np
import pytest

import volaug
from support.cases import Lazy
from support.volumes import drawn, random_volume
from volaug import (
    Compose,
    MaskImage,
    OneOf,
    RandomAffine,
    RandomBlur,
    RandomBrightness,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomNoise,
    RandomTranslation,
    Record,
    RemapLabels,
    Stream,
)

SHAPE = (12, 13, 14)
TARGETS = {"flair": "image", "parts": "label", "seeds": "points"}
IMAGES = {"image", "flair"}


def sample_of(channels=2):
    given = {name: random_volume((channels, *SHAPE), seed=k) for k, name in enumerate(IMAGES)}
    given |= {name: random_volume(SHAPE, np.uint8, seed=7) for name in ("label", "parts")}
    return given | {"points": np.array([[1.0, 2, 3]]), "seeds": np.array([[4.0, 5, 6]])}


def applied(steps, given=None, **options):
    given = sample_of() if given is None else given
    return Compose(steps, seed=0, targets=TARGETS, **options)(**given, index=0)


@pytest.mark.parametrize("step", [RandomBlur, RandomNoise, RandomBrightness])
@pytest.mark.parametrize(
    ("chosen", "changed"),
    [
        ({"include": ["flair"]}, {("flair", 0), ("flair", 1)}),
        ({"exclude": ["flair"]}, {("image", 0), ("image", 1)}),
        ({"channels": 1}, {("image", 1), ("flair", 1)}),
        ({"include": ["image"], "channels": [0]}, {("image", 0)}),
        ({"channels": (0, 1)}, {(name, channel) for name in IMAGES for channel in (0, 1)}),
        ({"channels": ()}, set()),
    ],
)
def test_only_what_is_chosen_changes_and_as_it_does_for_all(step, chosen, changed):
    given = sample_of()
    all_of_them = applied([step(p=1.0, per_channel=True)])
    result = applied([step(p=1.0, per_channel=True, **chosen)])
    for name in IMAGES:
        for channel in (0, 1):
            wanted = all_of_them if (name, channel) in changed else given
            np.testing.assert_array_equal(result[name][channel], wanted[name][channel])
    assert Record.from_json(result.record.to_json()) == result.record


def test_a_record_says_where_a_step_was_applied():
    steps = [RandomBlur(p=1.0, exclude=["flair"]), RandomFlip(p=1.0, include=["seeds", "label"])]
    plain = json.loads(drawn(steps, SHAPE, targets=TARGETS).to_json())["steps"]
    assert [step["targets"] for step in plain] == [["image"], ["seeds", "label"]]
    assert "channels" not in plain[0]


def test_what_is_chosen_is_kept_in_files():
    steps = [RandomBlur(include=["flair"], channels=[1, 0]), RandomFlip(exclude=("seeds",))]
    pipeline = Compose(steps, seed=3, targets=TARGETS)
    again = Compose.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    assert again == pipeline
    assert again.transforms[0].channels == (1, 0)


MOVE = RandomTranslation(((2, 2), (-1, -1), (0, 0)), p=1.0)


def moved(**chosen):
    return RandomTranslation(MOVE.translation, p=1.0, **chosen)


def test_a_step_moves_some_targets_alone():
    given, result = sample_of(), applied([moved(include=["flair", "seeds"])])
    reference = applied([MOVE])
    for name in given:
        wanted = reference if name in ("flair", "seeds") else given
        np.testing.assert_array_equal(result[name], wanted[name], err_msg=name)
    back = result.record.invert(**{n: result[n] for n in given})
    np.testing.assert_array_equal(back["flair"][:, 2:-3, 2:-2], given["flair"][:, 2:-3, 2:-2])
    for name in ("image", "label", "points", "seeds"):
        np.testing.assert_array_equal(back[name], given[name], err_msg=name)


def test_a_step_moves_some_channels_alone():
    given = sample_of()
    result = applied([RandomAffine(p=1.0, include=["image"], channels=[1])])
    reference = applied([RandomAffine(p=1.0)])
    np.testing.assert_array_equal(result["image"][0], given["image"][0])
    np.testing.assert_array_equal(result["image"][1], reference["image"][1])
    for name in ("flair", "label", "points"):
        np.testing.assert_array_equal(result[name], given[name])


def test_steps_for_all_and_for_some_are_one_warp_each():
    """Interpolated once: the composed matrix, and not two warps in a row."""
    steps = [RandomAffine(p=1.0), moved(include=["flair"]), RandomElastic(2.0, p=1.0)]
    record = drawn(steps, SHAPE, targets=TARGETS)
    assert len(record.stages) == 1
    given = sample_of()
    result = record.apply(**given)
    for parts, name in (([steps[0], steps[2]], "image"), ([steps[0], MOVE, steps[2]], "flair")):
        expected = drawn(parts, SHAPE, targets=TARGETS).apply(**given)[name]
        np.testing.assert_array_equal(result[name], expected)
    assert record.warp == drawn([steps[0], steps[2]], SHAPE).warp


def test_a_value_step_between_makes_two_warps_of_each():
    steps = [RandomFlip(0, p=1.0), RandomBrightness(p=1.0), moved(include=["flair"])]
    given, out = sample_of(), {"flair": np.full((2, *SHAPE), np.nan, np.float32)}
    record = drawn(steps, SHAPE, targets=TARGETS)
    result = record.apply(**given, out=out, threads=2)
    assert result["flair"] is out["flair"]
    assert np.isfinite(out["flair"]).all()
    assert len(record.warps) == 2
    np.testing.assert_array_equal(result["label"], given["label"][::-1])


def test_fills_and_borders_stay_those_of_the_channel():
    options = {"cval": {"image": (5.0, 7.0)}}
    steps = [moved(include=["image"], channels=1)]
    result = applied(steps, **options)["image"]
    assert (result[1, :2] == 7).all()
    assert not (result[0] == 5).any()


def test_seen_is_of_a_target():
    record = drawn([moved(include=["flair"])], SHAPE, targets=TARGETS)
    assert record.seen().all()
    assert not record.seen("flair").all()
    with pytest.raises(ValueError, match="unknown target 'flare'; did you mean 'flair'"):
        record.seen("flare")


def test_labels_are_chosen_too():
    given = sample_of()
    result = applied([RemapLabels(1, new=0, include=["parts"]), MaskImage(include=["flair"])])
    np.testing.assert_array_equal(result["label"], given["label"])
    np.testing.assert_array_equal(result["parts"], np.where(given["parts"] == 1, 0, given["parts"]))


def test_streams_read_what_the_warps_of_all_targets_read():
    arrays = {name: random_volume((40, 41, 42), seed=k) for k, name in enumerate(IMAGES)}
    pipeline = Compose([moved(include=["flair"])], targets=TARGETS)
    options = {"patch_shape": 12, "batch_size": 4, "seed": 3, "threads": 1}
    batches = []
    for cases in ([arrays], [{name: Lazy(array) for name, array in arrays.items()}]):
        with Stream(cases, pipeline, **options) as stream:
            batches.append(next(stream))
    for name in IMAGES:
        np.testing.assert_array_equal(batches[0][name], batches[1][name])


def test_what_is_left_alone_costs_no_copy():
    image = random_volume((96, 96, 96))
    steps = [RandomBrightness(p=1.0, include=["flair"])]
    record = drawn(steps, image.shape, targets=TARGETS)
    record.apply(image=image, flair=image[:1].repeat(96, 0))
    peaks = []
    for stage in ([], steps):
        other = drawn(stage, image.shape, targets=TARGETS)
        tracemalloc.start()
        other.apply(image=image, threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 0.1 * image.nbytes


WRONG = [
    (
        {"include": ["flar"]},
        ValueError,
        "unknown target that RandomBlur includes 'flar'; did you",
    ),
    ({"exclude": ["labl"]}, ValueError, "unknown target that RandomBlur excludes 'labl'; did you"),
    ({"include": ["label"]}, ValueError, "RandomBlur changes targets of kind 'image', but it incl"),
    ({"include": "flair"}, TypeError, "include must be a list of names of targets, got 'flair'"),
    ({"include": [3]}, TypeError, "include must be a list of names"),
    ({"include": ["image"], "exclude": ["flair"]}, ValueError, "include and exclude must not both"),
    ({"channels": -1}, ValueError, "channels must be from 0 to"),
    ({"channels": 1.5}, TypeError, "channels must be a whole number, got 1.5"),
    ({"channels": "a"}, TypeError, "channels must be a number or a list of numbers, got 'a'"),
    ({"channels": range(2)}, TypeError, r"channels must be a number or a list .*, got range\(0, 2"),
]


@pytest.mark.parametrize(("chosen", "error", "message"), WRONG)
def test_wrong_choices_are_errors_when_the_pipeline_is_made(chosen, error, message):
    with pytest.raises(error, match=message):
        Compose([OneOf([RandomBlur(**chosen)])], targets=TARGETS)


def test_names_of_a_group_are_those_of_the_pipeline_around_it():
    group = Compose([RandomBlur(p=1.0, include=["flair"])])
    assert Compose([group], targets=TARGETS, seed=0).draw(SHAPE, index=0).steps
    with pytest.raises(ValueError, match="unknown target that RandomBlur includes 'flair'"):
        group.draw(SHAPE)
    with pytest.raises(ValueError, match="unknown target that RandomBlur includes 'flair'"):
        Stream([{"image": random_volume(SHAPE)}], group, patch_shape=8, batch_size=1, seed=0)


@pytest.mark.parametrize("step", [RandomBlur(p=1.0, channels=2), moved(channels=2)])
def test_a_channel_that_is_not_there_is_an_error_before_any_work(step):
    given = sample_of()
    out = {"image": np.full((2, *SHAPE), np.nan, np.float32)}
    record = drawn([RandomBrightness(p=1.0), step], SHAPE, targets=TARGETS, channels=2)
    with pytest.raises(ValueError, match=r"the channels of '\w+' that .* less than [12], got"):
        record.apply(**given, out=out)
    assert np.isnan(out["image"]).all()


def test_a_crop_is_for_all_targets():
    with pytest.raises(TypeError, match="unexpected keyword argument 'include'"):
        RandomCrop(8, include=["image"])
    with pytest.raises(ValueError, match="a LabelPyramid is of all channels, got channels="):
        volaug.LabelPyramid([1], channels=0)


def test_an_out_is_checked_before_any_work():
    record = drawn([RandomFlip(0, p=1.0, include=["image"])], SHAPE, targets=TARGETS)
    image, flair = random_volume(SHAPE), random_volume(SHAPE, seed=1)
    one = np.zeros(SHAPE, np.float32)
    for out, error, message in (
        ({"flair": image}, ValueError, "share|overlap"),
        ({"image": one, "flair": one}, ValueError, "share|overlap"),
        ({"imag": one}, ValueError, "unknown image or label of out 'imag'; did you mean 'image'"),
        (one, TypeError, "out must be a mapping from names to arrays"),
        ({"image": np.zeros((3, *SHAPE), np.float32)}, ValueError, "out.* shape"),
    ):
        with pytest.raises(error, match=message):
            record.apply(image=image, flair=flair, out=out)
    np.testing.assert_array_equal(image, random_volume(SHAPE))


def test_a_stream_reads_all_where_nearest_may_reach_the_border():
    case = {"image": random_volume((14, 14, 14)), "label": random_volume((14, 14, 14), np.uint8)}
    steps = [RandomTranslation(((12, 12), 0, 0), p=1.0, include=["image"])]
    pipeline = Compose(steps, mode={"image": "nearest"})
    lazy = [{name: Lazy(array) for name, array in case.items()}]
    with Stream(lazy, pipeline, patch_shape=4, batch_size=4, seed=5, threads=1) as stream:
        batch = next(stream)
    for image, record in zip(batch["image"], batch["record"], strict=True):
        np.testing.assert_array_equal(image[0], record.apply(image=case["image"])["image"])


def test_channels_that_move_alone_have_no_one_map():
    record = drawn([moved(channels=0)], SHAPE)
    with pytest.raises(ValueError, match="a step moves some channels of 'image' alone"):
        record.seen()
    pipeline = Compose([moved(channels=0)], seed=0)
    with pytest.raises(ValueError, match="a step moves some channels of 'image' alone"):
        volaug.average_predictions(pipeline, lambda image: image, random_volume(SHAPE))


def test_targets_that_share_a_warp_are_resampled_together(monkeypatch):
    counts, resample = [], volaug.Warp._resample
    monkeypatch.setattr(
        volaug.Warp,
        "_resample",
        lambda self, requests, threads: (
            counts.append(len(requests)) or resample(self, requests, threads)
        ),
    )
    given = sample_of()
    for chosen in ({"exclude": ["label"]}, {"include": ["image", "flair", "parts"]}):
        applied([RandomAffine(p=1.0, **chosen)], given)
        assert sorted(counts) == [1, 3]
        counts.clear()
