"""TorchIO's history, inverses and configurations of `RandomVolaug` make the same bits again."""

import collections
import copy
import importlib
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from support.torchio_subjects import (
    AFFINE,
    MOVES,
    PIPELINE,
    SHAPE,
    assert_same,
    differs,
    label_map,
    record_of,
    scalar,
    scan,
    subject_of,
    voxels_of,
)
from volaug import Compose, RandomContrast, RandomNoise, RemapLabels

tio = pytest.importorskip("torchio")
torch = pytest.importorskip("torch")

from volaug.integrations.torchio import RandomVolaug, Volaug  # noqa: E402

pytestmark = pytest.mark.oracle("torchio")


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    torch.manual_seed(0)


def test_history_gives_the_same_bits():
    subject = subject_of()
    result = RandomVolaug(PIPELINE)(subject)
    assert_same(result.history[0](subject), result)
    assert_same(result.get_composed_history()(subject), result)
    assert_same(pickle.loads(pickle.dumps(result.history[0]))(subject), result)
    assert_same(result.get_composed_history()(subject).history[0](subject), result)


def test_history_with_torchios_own():
    subject = subject_of()
    transform = tio.Compose([tio.RandomFlip(axes=2, flip_probability=1), RandomVolaug(PIPELINE)])
    result = transform(subject)
    assert [step.name for step in result.history] == ["Flip", "Volaug"]
    assert_same(result.get_composed_history()(subject), result)
    either = tio.OneOf({RandomVolaug(PIPELINE): 1.0, tio.RandomNoise(): 0.0})(subject)
    assert [step.name for step in either.history] == ["Volaug"]


def test_the_inverse_brings_labels_back():
    subject = subject_of()
    result = RandomVolaug(PIPELINE)(subject)
    back = result.apply_inverse_transform()
    expected = record_of(result).invert(**voxels_of(result))
    for name, voxels in voxels_of(back).items():
        np.testing.assert_array_equal(voxels, expected[name])
    inside = subject.seg.data > 0
    assert (back.seg.data == subject.seg.data)[inside].float().mean() > 0.9
    assert (result.seg.data == subject.seg.data)[inside].float().mean() < 0.8
    assert back.history == []
    assert repr(result.history[0].inverse()).endswith("invert=True)")
    assert_same(result.history[0].inverse().inverse()(subject), result)


def test_the_inverse_leaves_values_as_they_are():
    subject = subject_of()
    result = RandomVolaug(Compose([RandomContrast(p=1)]))(subject)
    assert_same(result.apply_inverse_transform(), result)
    assert differs(result, subject)


def test_images_that_the_record_does_not_know_are_treated_by_their_type():
    """A prediction, say; also under a name that had another type."""
    pipeline = Compose(MOVES, interpolation={"image": "cubic", "label": "nearest"}, seed=3)
    subject = tio.Subject(
        t1=scalar(scan()[None]), seg=label_map((scan() > 1).astype(np.int16)[None])
    )
    result = RandomVolaug(pipeline)(subject)
    record = record_of(result)
    chances = np.stack([scan(), 1 - scan(), scan() > 1]).astype(np.float32)
    for given, do, act in (
        (result, lambda s: s.apply_inverse_transform(warn=False), record.invert),
        (subject, result.history[0], record.apply),
    ):
        more = copy.deepcopy(given)
        more.add_image(scalar(chances), "chances")
        more.add_image(label_map(chances[2:].astype(np.uint8)), "prediction")
        more.add_image(tio.Image(tensor=chances, type=tio.SAMPLING_MAP, affine=AFFINE), "where")
        done = do(more)
        known = act(**voxels_of(given))
        for name in ("t1", "seg"):
            np.testing.assert_array_equal(done[name].numpy(), known[name])
        for name, kind in (("chances", "t1"), ("prediction", "seg"), ("where", "seg")):
            expected = act(**{kind: more[name].numpy()})[kind]
            np.testing.assert_array_equal(done[name].numpy(), expected)
    other = tio.Subject(t1=label_map((scan() > 1).astype(np.uint8)[None]))
    assert result.history[0](other).t1.data.unique().tolist() == [0, 1]


def test_unknown_images_do_without_what_was_said_for_each_channel():
    pipeline = Compose(MOVES, targets={"t2": "image"}, cval={"t2": [5, 7]})
    result = RandomVolaug(pipeline)(tio.Subject(t2=subject_of().t2))
    result.add_image(scalar(torch.ones(3, *SHAPE)), "prediction")
    back = result.apply_inverse_transform()
    assert back.prediction.data.min() == 0
    assert back.t2.data.min() < 5


def test_what_is_kept_comes_back_too():
    subject = subject_of()
    result = RandomVolaug(PIPELINE, keep={"t1": "before", "seg": "seg before"})(subject)
    back = result.apply_inverse_transform()
    expected = record_of(result).invert(t1=subject.t1.data, seg=subject.seg.data)
    np.testing.assert_array_equal(back.before.data, expected["t1"])
    np.testing.assert_array_equal(back["seg before"].data, expected["seg"])


@pytest.mark.parametrize("word", ["nearest", "linear", "bspline"])
def test_images_come_back_as_they_are_asked_to(word):
    """Scalar images alone, as TorchIO's own do."""
    binary = (scan() > 1.2).astype(np.float32)[None]
    subject = subject_of(binary=scalar(binary))
    result = RandomVolaug(Compose(MOVES))(subject)
    result.binary.set_data((result.binary.data > 0.5).float())
    ours = {"bspline": "cubic"}.get(word, word)
    record = record_of(result)
    targets = {
        name: replace(target, interpolation=ours) if target.kind == "image" else target
        for name, target in record.targets.items()
    }
    expected = replace(record, targets=targets).invert(**voxels_of(result))
    back = result.apply_inverse_transform(image_interpolation=word)
    for name, voxels in voxels_of(back).items():
        np.testing.assert_array_equal(voxels, expected[name])
    assert (len(back.binary.data.unique()) == 2) == (word == "nearest")
    # forwards too, and what this leaves in the history does it again
    again = result.get_composed_history(image_interpolation=word)(subject)
    assert (len(again.binary.data.unique()) == 2) == (word == "nearest")
    assert_same(again.get_composed_history()(subject), again)
    inverse = result.history[0].inverse()
    assert_same(inverse(result).history[-1](result), inverse(result))


def test_records_of_intensities_alone_are_left_out_where_torchio_ignores_them():
    subject = subject_of()
    values = RandomVolaug(Compose([RandomContrast(p=1), RandomNoise(p=1)]))
    moves = RandomVolaug(Compose(MOVES))
    labels = RandomVolaug(Compose([RemapLabels(1, new=5, p=1)]))
    steps = [values, moves, tio.RandomBlur(), RandomVolaug(PIPELINE), labels]
    result = tio.Compose(steps)(subject)
    names = ["VolaugIntensity", "Volaug", "Blur", "Volaug", "Volaug"]
    assert [step.name for step in result.history] == names
    kept = result.get_applied_transforms(ignore_intensity=True)
    assert [step.name for step in kept] == ["Volaug"] * 3
    assert_same(result.get_composed_history()(subject), result)
    only = values(subject)
    assert differs(only, subject)
    assert_same(pickle.loads(pickle.dumps(only.history[0]))(subject), only)
    assert_same(only.get_composed_history(ignore_intensity=True)(subject), subject)
    assert_same(only.apply_inverse_transform(), only)
    back = result.apply_inverse_transform(ignore_intensity=True)  # and no warning of Blur
    assert_same(back, result.apply_inverse_transform(warn=False))
    with pytest.warns(RuntimeWarning, match="Skipping Blur"):
        result.apply_inverse_transform()


def is_plain(value):
    if isinstance(value, dict):
        return all(type(name) is str and is_plain(item) for name, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


class Words(collections.abc.Mapping):
    """A mapping that is no dict, as those of Hydra, with sequences that are no lists."""

    def __init__(self, values):
        self.values_of = values

    def __getitem__(self, name):
        value = self.values_of[name]
        if isinstance(value, list):
            return tuple(Words(item) if isinstance(item, dict) else item for item in value)
        return Words(value) if isinstance(value, dict) else value

    def __iter__(self):
        return iter(self.values_of)

    def __len__(self):
        return len(self.values_of)


def test_configurations_are_plain_and_make_the_same():
    pipeline = Compose(
        [*MOVES, RandomContrast(p=1)], seed=3, cval={"image": [1, 2]}, mode={"label": "nearest"}
    )
    subject = tio.Subject(t2=subject_of().t2, seg=subject_of().seg)
    transform = RandomVolaug(pipeline, p=0.75, include=("t2", "seg"))
    torch.manual_seed(4)
    result = transform(subject)
    for given, source in ((transform, subject), *((step, subject) for step in result.history)):
        config = given.to_hydra_config()
        assert is_plain(config)
        config = json.loads(json.dumps(config))
        module, name = config.pop("_target_").rsplit(".", 1)
        kind = getattr(importlib.import_module(module), name)
        for values in (config, dict(Words(config))):
            torch.manual_seed(4)
            assert_same(kind(**values)(source), result)
    assert transform.to_hydra_config()["p"] == 0.75
    assert is_plain(tio.Compose([transform, tio.ToCanonical()]).to_hydra_config())
    with pytest.raises(ValueError, match=r"a volaug\.pipeline must be a table"):
        RandomVolaug(5)


def test_a_record_for_another_subject():
    result = RandomVolaug(PIPELINE)(subject_of())
    with pytest.raises(ValueError, match="'t1' must have the shape"):
        result.history[0](tio.Subject(t1=scalar(torch.zeros(1, 8, 8, 8))))
    with pytest.raises(ValueError, match=r"image_interpolation must be one of .*'lanczos'"):
        result.apply_inverse_transform(image_interpolation="lanczos")
    with pytest.raises(ValueError, match="a record must be JSON"):
        Volaug("t1")


def test_what_it_shows():
    transform = RandomVolaug(PIPELINE, exclude=["t2"])
    assert repr(transform) == f"RandomVolaug(pipeline={PIPELINE})"
    assert transform.to_hydra_config()["exclude"] == ["t2"]
    subject = subject_of()
    result = transform(subject)
    config = result.history[0].to_hydra_config()
    module, name = config.pop("_target_").rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**config)
    assert_same(again(subject), result)
