"""volaug's trainers with streams give batches as nnU-Net's, from files as nnU-Net writes them."""

import itertools
import threading

import numpy as np
import pytest

from support.nnunet_cases import CASE, FLAT, LABELS, PATCH, REGIONS, SLICE, Cases, seeded
from support.nnunet_loaders import kinds, loaded

torch = pytest.importorskip("torch")
pytest.importorskip("nnunetv2")

from nnunetv2.training.dataloading.nnunet_dataset import (  # noqa: E402
    nnUNetDatasetBlosc2,
    nnUNetDatasetNumpy,
)
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.utilities.label_handling.label_handling import LabelManager  # noqa: E402

from volaug.integrations.nnunet_stream import LabelFile, NnunetBatches  # noqa: E402
from volaug.integrations.nnunet_trainer.nnUNetTrainerVolaugStream import (  # noqa: E402
    nnUNetTrainerVolaugStream,
    nnUNetTrainerVolaugStreamElastic,
)

pytestmark = pytest.mark.oracle("nnunetv2")

CONFIGURATIONS = {
    "plain": {},
    "one level": {"deep": False},
    "dummy 2d": {"patch": FLAT},
    "2d": {"patch": SLICE},
    "regions": {"labels": LabelManager({"background": 0, "ab": [1, 2], "b": 2}, (1, 2))},
}


@pytest.fixture(autouse=True)
def _closed(monkeypatch):
    """Close the streams of a test, and see that no thread is left."""
    made, start = [], NnunetBatches.__init__

    def remember(self, *arguments):
        start(self, *arguments)
        made.append(self)

    monkeypatch.setattr(NnunetBatches, "__init__", remember)
    seeded(0)
    yield
    for batches in made:
        batches.close()
    assert not any(thread.name == "volaug-stream" for thread in threading.enumerate())


@pytest.mark.parametrize("options", CONFIGURATIONS)
def test_batches_are_as_nnunets(options, monkeypatch):
    theirs = loaded(nnUNetTrainer, monkeypatch, **CONFIGURATIONS[options])
    ours = loaded(nnUNetTrainerVolaugStream, monkeypatch, **CONFIGURATIONS[options])
    for their, our in zip(theirs, ours, strict=True):
        assert isinstance(our, NnunetBatches)
        expected = kinds(next(their))
        for batch in itertools.islice(our, 6):
            assert kinds(batch) == expected
            assert set(batch["keys"]) <= {"one", "two"}
            targets = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
            for target in targets:
                assert set(target.unique().tolist()) <= {0, 1, 2}
                assert target.any()


def test_elastic_batches_differ(monkeypatch):
    plain, _ = loaded(nnUNetTrainerVolaugStream, monkeypatch)
    elastic, _ = loaded(nnUNetTrainerVolaugStreamElastic, monkeypatch)
    found = [not torch.equal(next(plain)["data"], next(elastic)["data"]) for _ in range(8)]
    assert any(found)


def test_validation_is_a_cut_of_the_case(monkeypatch):
    _, validation = loaded(nnUNetTrainerVolaugStream, monkeypatch, labels=LABELS, deep=False)
    for batch in itertools.islice(validation, 4):
        for data, target, name in zip(batch["data"], batch["target"], batch["keys"], strict=True):
            image, label, _, _ = Cases().load_case(name)
            windows = np.lib.stride_tricks.sliding_window_view(image[0], PATCH)
            starts = np.argwhere(windows[..., 0, 0, 0] == data[0, 0, 0, 0].item())
            cut = [tuple(slice(a, a + n) for a, n in zip(s, PATCH, strict=True)) for s in starts]
            (window,) = [c for c in cut if np.array_equal(image[0][c], data[0].numpy())]
            np.testing.assert_array_equal(target[0], np.maximum(label[0], 0)[window])


def test_a_training_that_continues_draws_what_it_would_have_drawn(monkeypatch):
    for number, per_epoch in ((0, 3), (1, 2)):
        loader = loaded(nnUNetTrainerVolaugStream, monkeypatch)[number]
        expected = list(itertools.islice(loader, 2 * per_epoch + 1))[-1]
        again = loaded(nnUNetTrainerVolaugStream, monkeypatch, current_epoch=2)[number]
        found = next(again)
        assert found["keys"] == expected["keys"]
        assert torch.equal(found["data"], expected["data"])


def test_ranks_draw_for_themselves(monkeypatch):
    first, second = (
        next(loaded(nnUNetTrainerVolaugStream, monkeypatch, local_rank=rank)[0]) for rank in (1, 2)
    )
    assert not torch.equal(first["data"], second["data"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cascaded": True}, "a cascade"),
        ({"labels": REGIONS}, "an ignore label"),
        ({"probabilistic_oversampling": True}, "probabilistic oversampling"),
    ],
)
def test_where_a_stream_cannot_be_nnunets_loader_is(options, reason, monkeypatch):
    said = []
    monkeypatch.setattr(
        nnUNetTrainerVolaugStream, "print_to_log_file", lambda _, t, **k: said.append(t)
    )
    training, _ = loaded(nnUNetTrainerVolaugStream, monkeypatch, **options)
    assert not isinstance(training, NnunetBatches)
    assert next(training)["data"].shape[2:] == PATCH
    assert any(text.startswith("volaug: no stream") and reason in text for text in said)


@pytest.mark.parametrize(("value", "threads"), [("", None), ("0", None), ("3", 3)])
def test_threads(value, threads, monkeypatch, processors):
    processors(5)
    monkeypatch.delenv("VOLAUG_NUM_THREADS", raising=False)
    training, _ = loaded(nnUNetTrainerVolaugStream, monkeypatch, processes=value)
    assert training._batches.stream._threads == (threads or 5)


def written(folder, kind):
    """Two cases as nnU-Net writes them: one label is int8, the other int16."""
    cases = Cases()
    for name, dtype in (("one", np.int8), ("two", np.int16)):
        image, label, _, properties = cases.load_case(name)
        options = {}
        if kind is nnUNetDatasetBlosc2:
            options = {"chunks": (1, 16, 16, 16), "blocks": (1, 8, 8, 8)}
        kind.save_case(
            image.astype(np.float32), label.astype(dtype), properties, str(folder / name), **options
        )
    return kind(str(folder))


@pytest.mark.parametrize("kind", [nnUNetDatasetBlosc2, nnUNetDatasetNumpy])
@pytest.mark.parametrize("unpacked", [False, True])
def test_files_give_the_bits_that_arrays_give(kind, unpacked, tmp_path, monkeypatch):
    dataset = written(tmp_path, kind)
    if unpacked and kind is nnUNetDatasetNumpy:
        for file in tmp_path.glob("*.npz"):
            arrays = np.load(file)
            np.save(file.with_suffix(".npy"), arrays["data"])
            np.save(tmp_path / f"{file.stem}_seg.npy", arrays["seg"])
    read = loaded(
        nnUNetTrainerVolaugStream, monkeypatch, get_tr_and_val_datasets=lambda: (dataset, dataset)
    )
    for files, arrays in zip(read, loaded(nnUNetTrainerVolaugStream, monkeypatch), strict=True):
        for _ in range(4):
            one, other = next(files), next(arrays)
            assert one["keys"] == other["keys"]
            assert torch.equal(one["data"], other["data"])
            assert one["target"][0].dtype == torch.int16
            for level, expected in zip(one["target"], other["target"], strict=True):
                assert torch.equal(level, expected)


def test_patches_lie_around_the_class_locations(tmp_path, monkeypatch):
    """They are taken from nnU-Net's list, also where it has a few of the voxels alone."""

    class Few(Cases):
        def load_case(self, identifier):
            image, label, earlier, _ = super().load_case(identifier)
            places = {1: np.array([[0, 13, 15, 14]]), 2: np.zeros((0, 4), int)}
            return image, label, earlier, {"class_locations": places}

    cases = Few()
    _, validation = loaded(
        nnUNetTrainerVolaugStream,
        monkeypatch,
        oversample_foreground_percent=1.0,
        get_tr_and_val_datasets=lambda: (cases, cases),
    )
    middle = tuple(
        slice(c - n // 2, c - n // 2 + n) for c, n in zip((13, 15, 14), PATCH, strict=True)
    )
    for batch in itertools.islice(validation, 3):
        for data, name in zip(batch["data"], batch["keys"], strict=True):
            image = cases.load_case(name)[0].astype(np.float32)
            np.testing.assert_array_equal(data, image[(slice(None), *middle)])


def test_labels_of_a_file_are_int16(tmp_path):
    np.save(tmp_path / "label.npy", np.full((1, *CASE), -1, np.int8))
    label = LabelFile(tmp_path / "label.npy")
    assert label.shape == (1, *CASE)
    part = label[..., 2:4, 1:3, 0:5]
    assert part.dtype == np.int16
    assert part.tolist() == np.full((1, 2, 2, 5), -1).tolist()
