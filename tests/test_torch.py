"""`VolaugDataset` gives the pipeline's tensors, replays their keys, and says where it failed."""

import re
from pathlib import Path

import numpy as np
import pytest

import volaug
from support.loaders import marks_of
from support.torch_samples import PIPELINE, SMALL, STEPS, TARGETS, TINY, Cases, bits, singles, tiny
from support.volumes import random_volume
from volaug import Compose, LabelPyramid, RandomAffine, RandomContrast, RandomFlip
from volaug.checks import DTYPES
from volaug.keys import Key

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from volaug.integrations.torch import EpochSampler, VolaugDataset  # noqa: E402

pytestmark = marks_of("torch")


@pytest.fixture
def calls(monkeypatch):
    """What the pipeline was given, and what it gave."""
    found, call = [], Compose.__call__

    def spied(self, **given):
        found.append((given, call(self, **given)))
        return found[-1][1]

    monkeypatch.setattr(Compose, "__call__", spied)
    return found


@pytest.mark.parametrize("steps", [STEPS, [], [RandomFlip(p=1)]])
@pytest.mark.parametrize("order", ["C", "F"])
def test_nothing_is_copied_and_nothing_mutated(steps, order, calls):
    item = Cases(SMALL)[0]
    if order == "F":  # as nibabel's are; their results are copied, so that they are contiguous
        item["image"] = item["image"].permute(0, 3, 2, 1)
        item["label"] = item["label"].permute(2, 1, 0).numpy()
    before = bits(item)
    sample = VolaugDataset([item], Compose(steps, seed=1))[0]
    ((given, result),) = calls
    for name in TARGETS:
        assert given[name] is item[name]
        shares = sample[name].data_ptr() == result[name].ctypes.data
        assert shares == result[name].flags.c_contiguous
        assert sample[name].is_contiguous()
        sample[name].view(-1)
        assert sample[name].data_ptr() != np.asarray(item[name]).ctypes.data
        np.testing.assert_array_equal(sample[name], result[name])
        sample[name].zero_()
    assert np.asarray(item["image"]).__array_interface__["data"][0] == item["image"].data_ptr()
    assert bits(item) == before


def test_samples_are_collated():
    item = Cases(SMALL)[0] | {"weight": np.float32([1, 2]), "affine": np.diag((1, 2, 3, 1.0))}
    del item["spacing"]
    dataset = VolaugDataset([item] * 3, Compose([*STEPS, LabelPyramid([1, 0.5])], seed=3))
    batch = data.default_collate([dataset[index] for index in range(3)])
    assert list(batch) == [*item, "key"]
    assert batch.pop("key").shape == (3, 4)
    assert [tuple(level.shape) for level in batch.pop("label")] == [(3, *SMALL), (3, 4, 5, 10)]
    assert {name: (value.dtype, *value.shape) for name, value in batch.items()} == {
        "image": (torch.float32, 3, 2, *SMALL),
        "points": (torch.float64, 3, 2, 3),
        "number": (torch.int64, 3),
        "weight": (torch.float32, 3, 2),
        "affine": (torch.float64, 3, 4, 4),
    }
    spaced = VolaugDataset(Cases(SMALL), PIPELINE)[0]["spacing"]
    assert spaced.tolist() == [1.0, 0.9, 1.5]


def test_pairs_are_of_an_image_and_its_label():
    item = Cases(SMALL)[1]
    for pair in ((item["image"], item["label"]), [np.asarray(item["image"]), item["label"]]):
        sample = VolaugDataset([pair] * 2, PIPELINE)[4, 0, 1]
        expected = PIPELINE(image=item["image"], label=item["label"], epoch=4, index=1)
        assert set(sample) == {"image", "label", "key"}
        for name, value in expected.items():
            np.testing.assert_array_equal(sample[name], value)


def test_records_are_json():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE, records=True)
    dataset.set_epoch(2)
    batch = data.default_collate([dataset[0], dataset[1]])
    for index, text in enumerate(batch["record"]):
        record = volaug.Record.from_json(text)
        assert record.key == Key(3, 2, index)
        assert batch["key"][index].tolist() == [3, 2, index, 0]
        again = record.apply(**{name: Cases(SMALL)[index][name] for name in TARGETS})
        assert bits(again) == bits(singles(batch)[index])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_stay(dtype):
    tensor = torch.from_numpy(random_volume(SMALL, dtype))
    dataset = VolaugDataset([(tensor, tensor)], Compose([RandomAffine(p=1)], seed=3))
    (batch,) = data.DataLoader(dataset)
    assert batch["image"].dtype == batch["label"].dtype == tensor.dtype


def test_what_is_wrong_says_so_and_where():
    volume = torch.zeros(SMALL)
    wrong = {
        "image must be an array .* BFloat16": (volume.bfloat16(), volume),
        "label must be an array .* requires grad": (volume, volume.clone().requires_grad_()),
        "a sample must be a mapping .* got Tensor": volume,
        "a sample must be a mapping .* got tuple": (volume, volume, volume),
    }
    for message, item in wrong.items():
        with pytest.raises(TypeError, match=message) as caught:
            VolaugDataset([None, item], PIPELINE)[1]
        assert caught.value.__notes__ == ["at sample 1 of the base dataset"]
    with pytest.raises(TypeError, match=r"pipeline must be a volaug\.Compose, got list"):
        VolaugDataset(Cases(), STEPS)
    for name, options in (("key", {}), ("record", {"records": True})):
        dataset = VolaugDataset([{"image": volume, name: 1}], PIPELINE, **options)
        with pytest.raises(ValueError, match=f"a sample gets a '{name}' here"):
            dataset[0]
    dataset = VolaugDataset(Cases(SMALL), PIPELINE)
    with pytest.raises(ValueError, match=r"index must be a number or epoch, occurrence, index"):
        dataset[0, 1]
    with pytest.raises(TypeError, match="sampler must be a sampler, got int"):
        EpochSampler(5)
    around = [data.Subset(dataset, [0]), data.ConcatDataset([dataset])]
    around += [data.Subset(around[1], [0]), data.ConcatDataset([Cases(), around[0]])]
    for wrapper in around:
        with pytest.raises(
            TypeError, match="put VolaugDataset around the " + type(wrapper).__name__
        ):
            EpochSampler(data.RandomSampler(wrapper))


class Endless(data.IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize("base", [Endless(), iter([]), 5, None])
def test_a_base_without_indices_is_refused(base):
    message = f"base must be a map-style dataset, which gives .* got {type(base).__name__}"
    with pytest.raises(TypeError, match=message):
        VolaugDataset(base, PIPELINE)


@pytest.mark.parametrize(
    "key",
    [
        5, [1, 2, 3], "1234", None, [1, 2, 3, 4.0], [[1, 2, 3, 4]], torch.zeros(4),
        torch.zeros((2, 4), dtype=torch.int64), torch.zeros((4, 4), dtype=torch.int64),
        np.zeros((4, 4), int),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_key_is_said(key):
    with pytest.raises(TypeError, match=r"key must be a Key, or the four ints .*, got (shape|\S)"):
        VolaugDataset(Cases(SMALL), PIPELINE).replay(key)


def test_what_has_the_shape_of_the_image_and_is_not_moved_is_warned_of_once():
    volume = torch.zeros((2, *SMALL))
    moving = [RandomAffine(p=1)]
    pipeline = Compose(moving, seed=3)
    for mask in (volume[0], volume[0].numpy(), volume):
        base = [{"image": volume, "mask": mask, "other": mask[..., 1:], "score": 3.0}] * 3
        dataset = VolaugDataset(base, pipeline)
        with pytest.warns(
            UserWarning, match="'mask' has the shape of 'image' and is not"
        ) as caught:
            dataset[0], dataset[1]
        assert len(caught) == 1
        assert caught[0].filename == __file__
        for silent in (Compose([RandomContrast()]), Compose(moving, targets={"mask": "label"})):
            VolaugDataset(base, silent)[0]
    VolaugDataset([{"image": volume, "mask": volume[..., 1:]}], pipeline)[0]


def test_a_loop_over_it_ends():
    """With the IndexError of its base."""
    cases = [Cases(SMALL)[index] for index in range(3)]
    assert len([*VolaugDataset(cases, PIPELINE)]) == 3


def test_keys_replay_in_another_dataset_and_with_any_seed():
    """int64 wraps the largest seeds."""
    for seed in (0, 5, 2**63, 2**64 - 1):
        dataset = tiny(seed=seed)
        (batch,) = data.DataLoader(dataset, 8)
        for key, image in zip(batch["key"], batch["image"], strict=True):
            for other in (dataset, tiny(seed=1)):
                again = other.replay(key)
                assert torch.equal(again["image"], image)
                assert torch.equal(again["key"], key)
    key = Key(seed=1, epoch=2, index=3, occurrence=4)
    assert torch.equal(dataset.replay(key)["image"], tiny(seed=1)[2, 4, 3]["image"])


def test_the_default_device_is_not_asked():
    """A worker cannot use that of a graphics card; this one has no values at all."""
    with torch.device("meta"):
        dataset = tiny()
        first, second = dataset[1], dataset[1]
    assert not torch.equal(first["image"], second["image"])
    dataset.set_epoch(2)
    assert dataset[1]["key"].tolist()[1:] == [2, 1, 0]


def test_indices_need_not_be_those_of_a_list():
    base = {100: {"image": torch.zeros(TINY)}, 7: {"image": torch.ones(TINY)}}
    dataset = VolaugDataset(base, Compose([RandomAffine(p=1)], seed=1))
    dataset.set_epoch(3)
    assert dataset[100]["key"].tolist() == [1, 3, 100, 0]
    assert (dataset[7]["image"] <= 1).all()
    with pytest.raises(ValueError, match="index must be from 0"):
        tiny()[-1]


PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


def test_the_page_runs():
    section = PAGE.read_text("utf-8").split("\n## PyTorch\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    batch = names["batch"]
    assert batch["image"].shape == (2, 1, 32, 32, 32)
    assert batch["label"].dtype == torch.int64
