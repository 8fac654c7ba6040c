"""`RandomVolaug` gives the pipeline's bits, and TorchIO treats it as its own transforms."""

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path

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
from volaug import Compose, LabelPyramid, RandomNoise, RandomTranslation, presets

tio = pytest.importorskip("torchio")
torch = pytest.importorskip("torch")

from volaug.integrations.torchio import RandomVolaug  # noqa: E402

pytestmark = pytest.mark.oracle("torchio")

PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    torch.manual_seed(0)


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


def test_subjects_in_a_queue_and_a_loader():
    dataset = tio.SubjectsDataset([subject_of() for _ in range(3)], RandomVolaug(PIPELINE))
    queue = tio.Queue(dataset, 6, 2, tio.UniformSampler(8), num_workers=0)
    patches = [patch["t1"][tio.DATA] for patch in tio.SubjectsLoader(queue, batch_size=2)]
    assert torch.cat(patches).shape == (6, 1, 8, 8, 8)
    result = copy.deepcopy(RandomVolaug(PIPELINE)(subject_of()))
    assert_same(pickle.loads(pickle.dumps(result)).get_composed_history()(subject_of()), result)


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


def test_no_lists_of_labels():
    with pytest.raises(ValueError, match="cannot hold the labels that LabelPyramid makes"):
        RandomVolaug(Compose([Compose([LabelPyramid([1, 0.5])])]))


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
    section = PAGE.read_text("utf-8").split("## TorchIO\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    sample, subject, back = names["sample"], names["subject"], names["back"]
    assert [step.name for step in sample.history] == ["ToCanonical", "Volaug", "ZNormalization"]
    assert_same(names["again"], sample)
    assert differs(sample, subject, "tumour")
    same = back.tumour.data == subject.tumour.data
    assert same.float().mean() > (sample.tumour.data == subject.tumour.data).float().mean()
