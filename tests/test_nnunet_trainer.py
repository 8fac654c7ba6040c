"""volaug's transforms in nnU-Net's own trainer, data loader and worker processes."""

import importlib.util
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import scipy.linalg

from support.volumes import blob
from volaug import Compose, MaskImage, RandomElastic, RandomNoise, Record, presets

torch = pytest.importorskip("torch")
pytest.importorskip("nnunetv2")

from batchgenerators.dataloading.nondet_multi_threaded_augmenter import (  # noqa: E402
    NonDetMultiThreadedAugmenter,
)
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform  # noqa: E402
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name  # noqa: E402
from nnunetv2.utilities.label_handling.label_handling import LabelManager  # noqa: E402

from volaug.integrations.nnunet import NnunetTransform, training_transforms  # noqa: E402

pytestmark = pytest.mark.oracle("nnunetv2")

PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"
NAMES = ["nnUNetTrainerVolaug", "nnUNetTrainerVolaugElastic"]
CASE = (26, 30, 28)
PATCH, FLAT, SLICE = (16, 20, 12), (4, 20, 14), (20, 16)
LABELS = LabelManager({"background": 0, "a": 1, "b": 2}, None)
REGIONS = LabelManager({"background": 0, "ab": [1, 2], "b": 2, "ignore": 3}, (1, 2))
THIRTY = (-np.pi / 6, np.pi / 6)
DEGREES = tuple(np.degrees(THIRTY))
ROUND = (-np.pi, np.pi)


class Cases:
    """What nnU-Net's data loader asks of a dataset; -1 in the labels is outside."""

    def __init__(self, cascaded=False, shape=CASE):
        self.identifiers = ["one", "two"]
        self.cascaded = cascaded
        self.shape = shape

    def load_case(self, identifier):
        place = 0.4 if identifier == "one" else 0.6
        scan = blob(self.shape, np.multiply(place, self.shape), 6.0)
        label = (scan > 0.3).astype(np.int16) + (scan > 0.7)
        label[:3] = -1
        places = {k: np.argwhere(label[np.newaxis] == k) for k in (1, 2)}
        places[-1, 0, 1, 2] = np.argwhere(label[np.newaxis] >= 0)  # what is annotated
        earlier = label if self.cascaded else None
        return np.stack([scan, 1 - scan]), label[np.newaxis], earlier, {"class_locations": places}


@pytest.fixture(scope="module")
def found():
    """The trainers, as ``nnUNetv2_train -tr`` finds them."""
    command = [sys.executable, "-m", "volaug.integrations.nnunet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("nnUNet_extTrainer", done.stdout.strip())
        warnings.simplefilter("ignore")  # it imports all of its own, and what these import
        if importlib.util.find_spec("timm") is None:  # of architectures that no trainer here has
            for name in ("timm", "timm.layers", "timm.models", "timm.models.eva"):
                patch.setitem(sys.modules, name, MagicMock())
        return {name: recursive_find_trainer_class_by_name(name) for name in NAMES}


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    seeded(0)


def seeded(seed, torchs=0):
    np.random.seed(seed)  # noqa: NPY002 - which nnU-Net draws from
    torch.manual_seed(torchs)


def loaded(kind, monkeypatch, patch=PATCH, labels=LABELS, cascaded=False, deep=True, processes=0):
    """The loaders of a trainer without a network: its own `get_dataloaders`."""
    monkeypatch.setenv("nnUNet_n_proc_DA", str(processes))
    trainer = object.__new__(kind)
    trainer.__dict__.update(
        dataset_class=Cases,
        configuration_manager=SimpleNamespace(
            patch_size=list(patch),
            use_mask_for_norm=[False, True],
            pool_op_kernel_sizes=[[1] * len(patch), [2] * len(patch), [2] * len(patch)],
        ),
        enable_deep_supervision=deep,
        label_manager=labels,
        is_cascaded=cascaded,
        batch_size=2,
        oversample_foreground_percent=0.33,
        probabilistic_oversampling=False,
        device=torch.device("cpu"),
        local_rank=1,  # writes no log
        get_tr_and_val_datasets=lambda: (Cases(cascaded), Cases(cascaded)),
    )
    return trainer.get_dataloaders()


def kinds(batch):
    """Shapes and dtypes of all tensors."""
    targets = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
    return type(batch["target"]), [(t.shape, t.dtype) for t in (batch["data"], *targets)]


def sample_of(shape=CASE, channels=1):
    image, label, _, _ = Cases(shape=shape).load_case("one")
    label = np.repeat(label, channels, axis=0)
    return {"image": torch.from_numpy(image), "segmentation": torch.from_numpy(label)}


def ours(patch=PATCH, rotation=THIRTY, scales=None, axes=(), dummy=False, **options):
    return training_transforms(patch, rotation, scales, axes, dummy, **options)


CONFIGURATIONS = {
    "plain": {},
    "one level": {"deep": False},
    "dummy 2d": {"patch": FLAT},
    "2d": {"patch": SLICE},
    "long 2d": {"patch": (20, 12)},
    "2d regions": {"patch": SLICE, "labels": REGIONS},
    "regions": {"labels": REGIONS},
    "regions of one level": {"labels": REGIONS, "deep": False},
    "cascade": {"cascaded": True},
    "cascade of regions": {"cascaded": True, "labels": REGIONS},
    "dummy 2d cascade": {"cascaded": True, "patch": FLAT},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", CONFIGURATIONS)
def test_batches_are_as_nnunets(found, name, options, monkeypatch):
    theirs, _ = loaded(nnUNetTrainer, monkeypatch, **CONFIGURATIONS[options])
    loader, _ = loaded(found[name], monkeypatch, **CONFIGURATIONS[options])
    expected = kinds(next(theirs))
    for _ in range(8):
        batch = next(loader)
        assert kinds(batch) == expected
        assert batch["data"].isfinite().all()
        targets = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
        for target in targets:
            assert set(target.unique().tolist()) <= {0, 1, 2}
            assert target.any()


def test_trainers_take_their_presets(found):
    for name, bends in zip(NAMES, (False, True), strict=True):
        composed = found[name].get_training_transforms(PATCH, THIRTY, None, (0, 1, 2), False)
        (transform,) = composed.transforms
        steps = [type(step) for step in transform.pipeline.steps()]
        assert (RandomElastic in steps) == bends


def test_a_sample_is_the_presets():
    scales = [[1, 1, 1], [0.5, 0.5, 0.5]]
    composed = ours(scales=scales, axes=(0, 2), use_mask_for_norm=[False, True])
    (transform,) = composed.transforms
    expected = presets.nnunet(
        PATCH,
        rotation=DEGREES,
        mirror_axes=(0, 2),
        masked_channels=[1],
        deep_supervision=scales,
        seed=0,
    )
    assert transform.pipeline == expected
    given, untouched = sample_of(), sample_of()
    for seed in range(10):
        seeded(seed)
        result = composed(**given)
        seeded(seed)
        index = np.random.randint(2**53)  # noqa: NPY002
        wanted = expected(image=given["image"], label=given["segmentation"], index=index)
        np.testing.assert_array_equal(result["image"].numpy(), wanted["image"])
        for level, label in zip(result["segmentation"], wanted["label"], strict=True):
            np.testing.assert_array_equal(level.numpy(), label)
    for name in given:
        assert torch.equal(given[name], untouched[name])


def test_results_are_contiguous_and_not_copied(monkeypatch):
    made = []
    apply = Record.apply

    def noted(record, **targets):
        made.append(apply(record, **targets))
        return made[-1]

    monkeypatch.setattr(Record, "apply", noted)
    for shape, patch, rotation in ((CASE, PATCH, THIRTY), (SLICE, SLICE, ROUND)):
        given = sample_of((1, *shape)[-3:])
        given = {name: tensor.reshape(len(tensor), *shape) for name, tensor in given.items()}
        scales = [[1] * len(patch), [0.5] * len(patch)]
        for turned in (False, True):
            if turned:
                given = {
                    n: t.transpose(1, 2).contiguous().transpose(1, 2) for n, t in given.items()
                }
            result = ours(patch, rotation, scales)(**given)
            tensors = [result["image"], *result["segmentation"]]
            assert all(tensor.is_contiguous() for tensor in tensors)
            arrays = [made[-1]["image"], *made[-1]["label"]]
            pairs = zip(tensors, arrays, strict=True)
            assert turned or all(np.shares_memory(t.numpy(), array) for t, array in pairs)


def test_the_same_numbers_of_numpy_are_the_same_bits():
    def drawn(seed, torchs=0):
        seeded(seed, torchs)
        composed = pickle.loads(pickle.dumps(ours()))  # as for a process that is spawned
        return torch.cat([composed(**sample_of())["image"] for _ in range(3)])

    assert torch.equal(drawn(1), drawn(1, torchs=9))
    assert not torch.equal(drawn(1), drawn(2))


def test_what_was_outside_is_masked_and_then_background():
    composed = ours(use_mask_for_norm=[False, True])
    shares = []
    for _ in range(20):
        given = sample_of()
        given["image"].fill_(1)
        given["segmentation"][:] = 1
        given["segmentation"][:, : CASE[0] // 2] = -1
        result = composed(**given)
        outside = result["segmentation"][0] == 0
        assert torch.equal(outside, result["segmentation"][0] != 1)
        assert torch.equal(outside, result["image"][1] == 0)
        assert (result["image"][0] != 0).all()
        shares.append(outside.float().mean())
    assert 0.3 < np.mean(shares) < 0.7


def test_regions_are_channels_of_bool():
    scales = [[1, 1, 1], [0.5, 0.5, 0.5]]
    regions = REGIONS.foreground_regions
    composed = ours(scales=scales, regions=regions, ignore_label=3)
    plain = ours(scales=scales)
    for seed in range(5):
        seeded(seed)
        levels = composed(**sample_of())["segmentation"]
        seeded(seed)
        labels = plain(**sample_of())["segmentation"]
        for level, label in zip(levels, labels, strict=True):
            assert level.dtype == torch.bool
            expected = torch.cat([label >= 1, label == 2, label == 3])
            assert torch.equal(level, expected)


def test_a_cascades_earlier_labels_follow():
    composed = ours(is_cascaded=True, foreground_labels=LABELS.foreground_labels)
    assert [type(step).__name__ for step in composed.transforms] == [
        "NnunetTransform",
        "MoveSegAsOneHotToDataTransform",
        "RandomTransform",
        "RandomTransform",
    ]
    for step in composed.transforms[2:]:  # which would change the earlier labels
        step.apply_probability = 0
    for _ in range(5):
        result = composed(**sample_of(channels=2))
        label = result["segmentation"]
        assert label.shape == (1, *PATCH)
        assert torch.equal(result["image"][2:], torch.cat([label == 1, label == 2]).float())
        assert label.any()


@pytest.mark.parametrize("preset", [presets.nnunet, presets.nnunet_elastic])
def test_dummy_2d_leaves_slices_in_their_place(preset):
    composed = ours(FLAT, ROUND, axes=(1, 2), dummy=True, preset=preset)
    numbers = torch.arange(1, FLAT[0] + 1, dtype=torch.int16).reshape(1, -1, 1, 1)
    corners = 0
    for _ in range(40):
        label = numbers.expand(1, *FLAT).clone()
        label = composed(image=torch.rand(2, *FLAT), segmentation=label)["segmentation"]
        assert ((label == numbers) | (label == 0)).all()
        corners += (label == 0).any().item()
    assert corners > 2


def test_2d_is_one_slice():
    transform = NnunetTransform(presets.nnunet_elastic((1, *SLICE), seed=1))
    image, label = torch.rand(3, 30, 28), torch.randint(3, (1, 30, 28), dtype=torch.int16)
    for seed in range(10):
        seeded(seed)
        result = transform(image=image, segmentation=label)
        seeded(seed)
        expected = transform(image=image[:, None], segmentation=label[:, None])
        assert result["image"].shape == (3, *SLICE)
        assert torch.equal(result["image"][:, None], expected["image"])
        assert torch.equal(result["segmentation"][:, None], expected["segmentation"])


def test_2d_takes_numbers_of_two_axes():
    scales = [[1.0, 1.0], [0.5, 0.25], 0.5]
    composed = ours(SLICE, ROUND, scales, axes=(0,))
    expected = presets.nnunet(
        (1, *SLICE),
        dummy_2d=True,
        rotation=(-180, 180),
        mirror_axes=(1,),
        deep_supervision=[(1, 1, 1), (1, 0.5, 0.25), (1, 0.5, 0.5)],
        seed=0,
    )
    assert composed.transforms[0].pipeline == expected


def test_without_mirroring_and_dummy_2d():
    composed = ours(FLAT, axes=None, dummy=False)
    expected = presets.nnunet(FLAT, dummy_2d=False, rotation=DEGREES, mirror_axes=(), seed=0)
    assert composed.transforms[0].pipeline == expected


@pytest.mark.parametrize(
    ("patch", "dummy"), [(PATCH, False), (FLAT, False), (FLAT, True), (SLICE, False)]
)
def test_angles_are_nnunets(patch, dummy):
    given = patch, (0.2, 0.2), None, (), dummy
    stock, image = nnUNetTrainer.get_training_transforms(*given), torch.zeros(1, *patch)
    (step,) = [t for t in stock.transforms if isinstance(t, SpatialTransform)]
    step.p_rotation, step.p_scaling = 1, 0
    expected = step.get_parameters(image=image[:, 0] if dummy else image)["affine"]
    expected = scipy.linalg.block_diag(*[1] * (3 - len(expected)), expected)
    (transform,) = training_transforms(*given).transforms
    matrices = [transform.get_parameters(image=image)["record"].warp.matrix for _ in range(100)]
    assert any(np.allclose(matrix, expected, atol=1e-9) for matrix in matrices)


@pytest.mark.parametrize("name", ["regression_target", "keypoints", "bbox"])
def test_what_would_not_move_is_refused(name):
    with pytest.raises(ValueError, match=f"got a {name}"):
        ours()(**sample_of(), **{name: torch.zeros(1)})


def test_an_image_alone_and_other_things():
    result = NnunetTransform(Compose([RandomNoise(p=1)]))(image=torch.rand(1, *PATCH), key="one")
    assert result["key"] == "one"
    assert set(result) == {"image", "key"}


def still(transform):
    """A loader whose samples differ by what a transform draws alone."""
    return nnUNetDataLoader(Cases(shape=PATCH), 2, PATCH, PATCH, LABELS, transforms=transform)


def test_workers_draw_for_themselves():
    """Of an image of zeros noise is left: where two are alike, so were their keys."""
    transform = NnunetTransform(
        Compose([MaskImage("label"), RandomNoise(0.1, relative=False, p=1)])
    )
    loader = still(transform)
    workers = NonDetMultiThreadedAugmenter(loader, None, 2, 2, None, False, 0.002)
    noise = torch.cat([next(workers)["data"][:, 0, 0] for _ in range(8)])
    processes = list(workers._processes)
    assert len({process.pid for process in processes} - {os.getpid()}) == 2
    workers._finish()
    assert [process.exitcode for process in processes] == [0, 0]
    for number, sample in enumerate(noise):
        assert sample.any()
        assert all(not torch.equal(sample, other) for other in noise[:number])


# its augmenter's own thread may meet a queue that was closed
QUEUES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


# a thread of nnU-Net's that collects results may find its workers ended
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@QUEUES
def test_a_trainers_workers(found, monkeypatch):
    training, validation = loaded(found[NAMES[1]], monkeypatch, processes=2)
    assert training.num_processes == 2
    for _ in range(4):
        assert next(training)["data"].shape == (2, 2, *PATCH)
        assert next(validation)["data"].shape == (2, 2, *PATCH)
    training._finish()
    validation._finish()


@QUEUES
def test_errors_come_through(capfd):
    loader = still(NnunetTransform(Compose([MaskImage(channels=5)])))
    with pytest.raises(ValueError, match="must be less than 2"):
        next(loader)
    workers = NonDetMultiThreadedAugmenter(loader, None, 2, 2, None, False, 0.002)
    with pytest.raises(RuntimeError, match="background workers are no longer alive"):
        next(workers)
    assert "must be less than 2" in capfd.readouterr().out


def test_the_page_runs():
    section = PAGE.read_text().split("## nnU-Net\n")[1]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    assert names["sample"]["image"].shape == names["full"].shape == (1, 48, 56, 40)
    assert names["half"].shape == (1, 24, 28, 20)
    (bash,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert "nnUNet_extTrainer=$(python -m volaug.integrations.nnunet)" in bash
    assert all(f"`{name}`" in section for name in NAMES)
