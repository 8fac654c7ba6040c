"""volaug's trainers load nnU-Net's batches, in nnU-Net's own loader and worker processes."""

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from support.nnunet_cases import FLAT, LABELS, PATCH, REGIONS, SLICE, THIRTY, Cases, seeded
from support.nnunet_loaders import kinds, loaded
from volaug import Compose, MaskImage, RandomElastic, RandomNoise, presets

torch = pytest.importorskip("torch")
pytest.importorskip("nnunetv2")

from batchgenerators.dataloading.nondet_multi_threaded_augmenter import (  # noqa: E402
    NonDetMultiThreadedAugmenter,
)
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name  # noqa: E402

from volaug.integrations.nnunet import NnunetTransform  # noqa: E402

pytestmark = pytest.mark.oracle("nnunetv2")

PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"
NAMES = ["nnUNetTrainerVolaug", "nnUNetTrainerVolaugElastic"]
STREAMS = ["nnUNetTrainerVolaugStream", "nnUNetTrainerVolaugStreamElastic"]


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
        return {name: recursive_find_trainer_class_by_name(name) for name in (*NAMES, *STREAMS)}


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    seeded(0)


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


def test_trainers_with_streams_are_found_and_take_their_presets(found):
    for name, preset in zip(STREAMS, (presets.nnunet, presets.nnunet_elastic), strict=True):
        assert found[name].__name__ == name
        assert found[name].preset is preset


def test_trainers_take_their_presets(found):
    for name, bends in zip(NAMES, (False, True), strict=True):
        composed = found[name].get_training_transforms(PATCH, THIRTY, None, (0, 1, 2), False)
        (transform,) = composed.transforms
        steps = [type(step) for step in transform.pipeline.steps()]
        assert (RandomElastic in steps) == bends


def still(transform):
    """A loader whose samples differ by what a transform draws alone."""
    return nnUNetDataLoader(Cases(shape=PATCH), 2, PATCH, PATCH, LABELS, transforms=transform)


def workers_end(test):
    """nnU-Net's own thread collects results until it meets a closed queue or an ended worker."""
    for kind in ("PytestUnraisableExceptionWarning", "PytestUnhandledThreadExceptionWarning"):
        test = pytest.mark.filterwarnings(f"ignore::pytest.{kind}")(test)
    return test


def finish(workers):
    """End its processes and its thread, whose errors then belong to the test that made it."""
    collector = workers.results_loop_thread
    workers._finish()
    collector.join()


@workers_end
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
    finish(workers)
    assert [process.exitcode for process in processes] == [0, 0]
    for number, sample in enumerate(noise):
        assert sample.any()
        assert all(not torch.equal(sample, other) for other in noise[:number])


@workers_end
def test_a_trainers_workers(found, monkeypatch):
    training, validation = loaded(found[NAMES[1]], monkeypatch, processes=2)
    assert training.num_processes == 2
    for _ in range(4):
        assert next(training)["data"].shape == (2, 2, *PATCH)
        assert next(validation)["data"].shape == (2, 2, *PATCH)
    finish(training)
    finish(validation)


@workers_end
def test_errors_come_through(capfd):
    loader = still(NnunetTransform(Compose([MaskImage(channels=5)])))
    with pytest.raises(ValueError, match="must be less than 2"):
        next(loader)
    workers = NonDetMultiThreadedAugmenter(loader, None, 2, 2, None, False, 0.002)
    workers._start()
    collector = workers.results_loop_thread
    with pytest.raises(RuntimeError, match="background workers are no longer alive"):
        next(workers)
    collector.join()
    assert "must be less than 2" in capfd.readouterr().out


def test_the_page_runs():
    section = PAGE.read_text("utf-8").split("\n## nnU-Net\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    assert names["sample"]["image"].shape == names["full"].shape == (1, 48, 56, 40)
    assert names["half"].shape == (1, 24, 28, 20)
    (bash,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert "nnUNet_extTrainer=$(python -m volaug.integrations.nnunet)" in bash
    assert all(f"`{name}`" in section for name in NAMES)
