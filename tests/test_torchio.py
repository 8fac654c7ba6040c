"""Pipelines as TorchIO's transforms: as TorchIO treats its own, and with volaug's bits."""

import collections
import copy
import importlib
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.volumes import blob
from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    RandomAffine,
    RandomContrast,
    RandomElastic,
    RandomFlip,
    RandomNoise,
    RandomRotation,
    RandomTranslation,
    RemapLabels,
    presets,
)

tio = pytest.importorskip("torchio")
torch = pytest.importorskip("torch")

from volaug.integrations.torchio import RandomVolaug, Volaug  # noqa: E402

pytestmark = pytest.mark.oracle("torchio")

PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"
SHAPE = (24, 30, 20)
AFFINE = np.array([[0, 1.5, 0, 4], [-2, 0, 0, 5], [0, 0, 3, -6], [0, 0, 0, 1]], float)
MOVES = [
    RandomFlip(axes=0, p=1),
    RandomAffine(degrees=10, translation=3, p=1),
    RandomElastic(3, p=1),
]
PIPELINE = Compose([*MOVES, RandomContrast(p=1, per_channel=True), RandomNoise(p=1)], seed=7)


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    torch.manual_seed(0)


def scan(shape=SHAPE):
    """Not the same from any side."""
    places = [(0.4, 0.5, 0.5), (0.7, 0.3, 0.6), (0.3, 0.6, 0.4)]
    return sum(n * blob(shape, np.multiply(p, shape), 4.0) for n, p in enumerate(places, start=1))


def scalar(voxels, **options):
    return tio.ScalarImage(tensor=torch.as_tensor(voxels), affine=AFFINE, **options)


def label_map(voxels):
    return tio.LabelMap(tensor=torch.as_tensor(voxels), affine=AFFINE)


def subject_of(**others):
    t1 = scan()
    t2 = np.stack([100 * t1, 300 - 90 * t1]).astype(np.int16)
    return tio.Subject(
        t1=scalar(t1[np.newaxis]),
        t2=scalar(t2),
        seg=label_map((t1 > 1.2).astype(np.uint8)[np.newaxis]),
        age=45,
        **others,
    )


def voxels_of(subject):
    return {name: image.numpy() for name, image in subject.get_images_dict(False).items()}


def record_of(subject):
    (transform,) = subject.history
    return transform.record


def assert_same(subject, other):
    ours, theirs = voxels_of(subject), voxels_of(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def differs(subject, other, name="t1"):
    return (subject[name].data != other[name].data).any()


def test_the_result_is_the_pipelines():
    subject = subject_of()
    result = RandomVolaug(PIPELINE)(subject)
    record = record_of(result)
    assert (record.key.seed, record.key.epoch) == (7, 0)
    named = replace(PIPELINE, targets={"t1": "image", "t2": "image"})
    channels = {"t1": 1, "t2": 2}
    drawn = named.draw(SHAPE, affine=AFFINE, channels=channels, index=record.key.index)
    assert record.to_dict()["steps"] == drawn.to_dict()["steps"]
    given = voxels_of(subject)
    expected = drawn.apply(t1=given["t1"], label=given["seg"])
    np.testing.assert_array_equal(result.seg.numpy(), expected["label"])
    expected = record.apply(**given)
    for name, voxels in voxels_of(result).items():
        np.testing.assert_array_equal(voxels, expected[name])
        np.testing.assert_array_equal(result[name].affine, AFFINE)
    assert result.age == 45


def test_labels_follow_the_image():
    subject = subject_of()
    result = RandomVolaug(Compose(MOVES))(subject)
    assert ((result.t1.data > 1.2) != result.seg.data).float().mean() < 0.015
    assert (result.seg.data != subject.seg.data).float().mean() > 0.1


def test_content_moves_as_by_torchio():
    affine = np.diag([3.0, 1.0, 2.0, 1.0])
    image = tio.ScalarImage(tensor=torch.as_tensor(scan()[np.newaxis]), affine=affine)
    for ours, numbers in [
        (RandomTranslation(((6, 6), (-3, -3), (0, 0)), p=1), {"translation": (6, -3, 0)}),
        (RandomRotation(((20, 20), (0, 0), (0, 0)), p=1), {"degrees": (20, 0, 0)}),
        (RandomRotation(((0, 0), (-20, -20), (0, 0)), p=1), {"degrees": (0, -20, 0)}),
        (RandomRotation(((0, 0), (0, 0), (20, 20)), p=1), {"degrees": (0, 0, 20)}),
    ]:
        still = {"scales": (1, 1, 1), "degrees": (0, 0, 0), "translation": (0, 0, 0)}
        theirs = tio.Affine(**{**still, **numbers}, default_pad_value=0)
        pipeline = Compose([ours], mode={"image": "edge-constant"})  # ITK's
        expected, result = theirs(image), RandomVolaug(pipeline)(image)
        np.testing.assert_allclose(result.data, expected.data, atol=1e-5)
        assert (result.data != image.data).any()


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


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "float32", "float64"])
def test_dtypes_stay(dtype):
    voxels = torch.as_tensor(50 * scan()[np.newaxis]).to(getattr(torch, dtype))
    subject = tio.Subject(image=scalar(voxels), seg=label_map(voxels.clone()))
    result = RandomVolaug(PIPELINE)(subject)
    assert result.image.data.dtype == result.seg.data.dtype == voxels.dtype
    assert set(result.seg.data.unique().tolist()) <= {0, *voxels.unique().tolist()}
    assert set(result.image.data.unique().tolist()) - set(voxels.unique().tolist())


def test_a_kind_is_told_by_the_image_and_options_by_its_name():
    ones = torch.ones((1, *SHAPE))
    subject = tio.Subject(
        {
            "image": label_map(3 * ones),
            "two words": scalar(ones),
            "t2": scalar(ones),
            "chances": tio.Image(tensor=ones, type=tio.SAMPLING_MAP, affine=AFFINE),
        }
    )
    pipeline = Compose(
        [RandomTranslation(((30, 30), (0, 0), (0, 0)), p=1), RandomNoise(0.1, relative=False, p=1)],
        targets={"t2": "image"},
        cval={"image": 100, "t2": 200, "label": 9},
    )
    result = RandomVolaug(pipeline)(subject)
    assert result["image"].data.unique().tolist() == [3, 9]
    assert result["chances"].data.unique().tolist() == [1, 9]
    assert 99 < result["two words"].data.max() < 101
    assert 199 < result["t2"].data.max() < 201
    kinds = {name: target.kind for name, target in record_of(result).targets.items()}
    assert kinds == {"image": "label", "two words": "image", "t2": "image", "chances": "label"}


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


def test_subjects_in_a_queue_and_a_loader():
    dataset = tio.SubjectsDataset([subject_of() for _ in range(3)], RandomVolaug(PIPELINE))
    queue = tio.Queue(dataset, 6, 2, tio.UniformSampler(8), num_workers=0)
    patches = [patch["t1"][tio.DATA] for patch in tio.SubjectsLoader(queue, batch_size=2)]
    assert torch.cat(patches).shape == (6, 1, 8, 8, 8)
    result = copy.deepcopy(RandomVolaug(PIPELINE)(subject_of()))
    assert_same(pickle.loads(pickle.dumps(result)).get_composed_history()(subject_of()), result)


def turned(image, axes, flips):
    """The same voxels at the same places, in another order and direction of axes."""
    shape = np.array(image.spatial_shape)
    pull = np.eye(4)  # from the new voxels to the old ones
    pull[:3, :3] = np.eye(3)[:, axes]
    voxels = image.data.permute(0, *(axis + 1 for axis in axes))
    for axis in flips:
        pull[:3, 3] += pull[:3, axis] * (shape[axes[axis]] - 1)
        pull[:3, axis] *= -1
    voxels = voxels.flip([axis + 1 for axis in flips])
    return type(image)(tensor=voxels, affine=image.affine @ pull)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)])
def test_images_in_another_order_of_axes_are_brought_to_the_first(axes, flips):
    subject = subject_of()
    other = subject_of(seg2=turned(subject.seg, axes, flips))
    other.seg2.affine[:3, 3] += 1e-4  # what NIfTI rounds
    pipeline = Compose([*MOVES, CenterCrop((20, 16, 18))])
    result = RandomVolaug(pipeline)(other)
    torch.testing.assert_close(result.seg2.data, result.seg.data)
    for name in voxels_of(result):
        assert result[name].data.is_contiguous()
        np.testing.assert_allclose(result[name].affine, result.t1.affine, atol=1e-3)
    assert_same(result.history[0](other), result)
    back = result.apply_inverse_transform()
    torch.testing.assert_close(back.seg2.data, back.seg.data)
    np.testing.assert_allclose(back.seg2.affine, AFFINE, atol=1e-3)


def test_places_that_differ_are_an_error():
    moved = AFFINE.copy()
    moved[1, 3] += 10
    for affine, message in ((moved, "10 mm apart"), (AFFINE @ np.diag([1, 1, 1.2, 1]), "voxels")):
        elsewhere = tio.LabelMap(tensor=torch.ones(1, *SHAPE), affine=affine)
        with pytest.raises(
            ValueError, match=f"'t1' and 'lesion' must lie in one grid: .*{message}"
        ):
            RandomVolaug(PIPELINE)(subject_of(lesion=elsewhere))
        RandomVolaug(PIPELINE, exclude=["lesion"])(subject_of(lesion=elsewhere))


def test_results_are_contiguous():
    fortran = np.asfortranarray(scan())[None]
    assert not fortran.flags.c_contiguous
    subject = tio.Subject(t1=scalar(fortran), seg=label_map(fortran > 1))
    result = RandomVolaug(PIPELINE)(subject)
    for given in (result, result.apply_inverse_transform(warn=False)):
        for name in voxels_of(given):
            given[name].data.view(-1)


def test_p():
    subject = subject_of()
    assert RandomVolaug(PIPELINE, p=0)(subject) is subject
    torch.manual_seed(1)
    halves = [len(RandomVolaug(PIPELINE, p=0.5)(subject).history) for _ in range(40)]
    assert 8 < sum(halves) < 32


def test_include_exclude_and_keep():
    subject = subject_of()
    for options in ({"exclude": ["t2"]}, {"include": ["t1", "seg"]}):
        result = RandomVolaug(PIPELINE, **options)(subject)
        assert not differs(result, subject, "t2")
        assert differs(result, subject)
        assert differs(result, subject, "seg")
        assert_same(result.history[0](subject), result)
    kept = RandomVolaug(PIPELINE, keep={"t1": "before"})(subject)
    assert (kept.before.data == subject.t1.data).all()
    assert differs(kept, subject)
    nothing = RandomVolaug(PIPELINE, include=["ct"])(subject)
    assert_same(nothing, subject)
    assert nothing.history == []


def test_copy():
    subject, untouched = subject_of(), subject_of()
    result = RandomVolaug(PIPELINE)(subject)
    assert_same(subject, untouched)
    assert subject.history == []
    in_place = result.history[0]
    in_place.copy = False
    assert in_place(subject) is subject
    assert_same(subject, result)
    assert RandomVolaug(PIPELINE, copy=False)(subject) is subject


def test_torchs_seed_reproduces():
    def by_seed(seed, pipeline=PIPELINE):
        torch.manual_seed(seed)
        return RandomVolaug(pipeline)(subject_of())

    assert_same(by_seed(3), by_seed(3))
    assert differs(by_seed(3), by_seed(4))
    # also without a seed of the pipeline's own, and it is not the system's
    assert_same(by_seed(3, Compose(MOVES)), by_seed(3, Compose(MOVES)))
    assert differs(by_seed(3, Compose(MOVES, seed=1)), by_seed(3, Compose(MOVES, seed=2)))


def test_two_workers():
    dataset = tio.SubjectsDataset([subject_of() for _ in range(8)], RandomVolaug(PIPELINE))

    def batches(seed):
        generator = torch.Generator().manual_seed(seed)
        loader = tio.SubjectsLoader(dataset, batch_size=2, num_workers=2, generator=generator)
        return [batch["t1"][tio.DATA] for batch in loader]

    found = torch.cat(batches(5))
    assert found.shape == (8, 1, *SHAPE)
    for number, sample in enumerate(found):
        assert all((sample != other).any() for other in found[:number])
    assert torch.equal(found, torch.cat(batches(5)))
    assert not torch.equal(found, torch.cat(batches(6)))


def test_images_of_several_shapes():
    subject = subject_of(small=scalar(torch.zeros(1, 8, 8, 8)))
    with pytest.raises(RuntimeError, match='More than one value for "spatial_shape"'):
        RandomVolaug(PIPELINE)(subject)


def test_a_record_for_another_subject():
    result = RandomVolaug(PIPELINE)(subject_of())
    with pytest.raises(ValueError, match="'t1' must have the shape"):
        result.history[0](tio.Subject(t1=scalar(torch.zeros(1, 8, 8, 8))))
    with pytest.raises(ValueError, match=r"image_interpolation must be one of .*'lanczos'"):
        result.apply_inverse_transform(image_interpolation="lanczos")
    with pytest.raises(ValueError, match="a record must be JSON"):
        Volaug("t1")


def test_no_lists_of_labels():
    with pytest.raises(ValueError, match="cannot hold the labels that LabelPyramid makes"):
        RandomVolaug(Compose([Compose([LabelPyramid([1, 0.5])])]))


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


def test_nothing_divides_by_zero():
    """TorchIO calls its transforms so that NumPy raises where it would warn."""
    odd = scan()
    odd[3, 4, 5], odd[6, 7, 8] = np.nan, np.inf
    flat = np.ones(SHAPE, np.float32)
    half = 3000 * scan().astype(np.float16)
    subject = tio.Subject(
        odd=scalar(np.stack([odd, flat])), flat=scalar(flat[np.newaxis]), half=scalar(half[None])
    )
    transform = RandomVolaug(presets.strong_mri(seed=1))
    names = set()
    for _ in range(40):
        result = transform(subject)
        names |= {name for name, _ in record_of(result).steps}
        assert np.isfinite(result.flat.numpy()).all()
    assert len(names) > 9


def test_crops_say_where_they_are():
    subject = subject_of()
    expected = tio.Crop((4, 5, 6, 7, 3, 3))(subject)
    shape = expected.spatial_shape
    result = RandomVolaug(Compose([CenterCrop(shape)]))(subject)
    assert_same(result, expected)
    for name in voxels_of(result):
        np.testing.assert_array_equal(result[name].affine, expected[name].affine)
    back = RandomVolaug(Compose([*MOVES, CenterCrop(shape)]))(subject).apply_inverse_transform()
    assert back.spatial_shape == SHAPE
    np.testing.assert_allclose(back.t1.affine, AFFINE, atol=1e-12)
    only = RandomVolaug(Compose([CenterCrop(shape)]), include=["t1"])(subject)
    np.testing.assert_array_equal(only.t2.affine, AFFINE)


def test_slices_stay_slices():
    flat = scan()[:, :, :1]
    subject = tio.Subject(t1=scalar(flat[np.newaxis]), seg=label_map((flat > 1)[np.newaxis]))
    result = RandomVolaug(Compose(MOVES))(subject)
    assert ((result.t1.data > 1) == result.seg.data).float().mean() > 0.98
    assert result.t1.data.max() > 0.8 * subject.t1.data.max()


def test_what_torchio_makes_a_subject_of():
    voxels = scan()[np.newaxis]
    for given in (torch.as_tensor(voxels), voxels, scalar(voxels)):
        result = RandomVolaug(PIPELINE)(given)
        assert type(result) is type(given)
        assert result.shape == given.shape
    result = RandomVolaug(PIPELINE, include=["a", "b"], label_keys=["b"])(
        {"a": torch.as_tensor(voxels), "b": torch.as_tensor(voxels > 1), "c": "other"}
    )
    assert set(result["b"].unique().tolist()) == {0, 1}
    assert result["c"] == "other"


def test_images_are_read_when_needed(tmp_path):
    subject_of().t1.save(tmp_path / "t1.nii.gz")
    subject = tio.Subject(t1=tio.ScalarImage(tmp_path / "t1.nii.gz"))
    result = RandomVolaug(PIPELINE)(subject)
    assert_same(result.history[0](subject), result)
    np.testing.assert_allclose(result.t1.affine, AFFINE)
    RandomVolaug(PIPELINE)(result).t1.save(tmp_path / "again.nii.gz")


def test_the_page_runs():
    section = PAGE.read_text().split("## TorchIO\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    sample, subject, back = names["sample"], names["subject"], names["back"]
    assert [step.name for step in sample.history] == ["ToCanonical", "Volaug", "ZNormalization"]
    assert_same(names["again"], sample)
    assert differs(sample, subject, "tumour")
    same = back.tumour.data == subject.tumour.data
    assert same.float().mean() > (sample.tumour.data == subject.tumour.data).float().mean()
