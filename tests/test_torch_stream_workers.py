"""A stream in worker processes of a DataLoader: the same batches, in shared memory."""

import multiprocessing

import numpy as np
import pytest

from support.loaders import marks_of
from support.streams import stream
from volaug import Compose, LabelPyramid, RandomAffine

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from volaug.integrations.torch import StreamDataset  # noqa: E402

pytestmark = marks_of("torch")

OPTIONS = {
    "pipeline": Compose([RandomAffine(p=1.0), LabelPyramid([1, 0.5])]),
    "patch_shape": 8,
    "threads": 2,
    "epochs": 4,
}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_those_of_the_stream(workers):
    with stream(**OPTIONS) as made:
        wanted = list(made)
    method = "fork" if workers else None
    loader = data.DataLoader(
        StreamDataset(stream(**OPTIONS)), None, num_workers=workers, multiprocessing_context=method
    )
    for found, other in zip(loader, wanted, strict=True):
        np.testing.assert_array_equal(found["image"].numpy(), other["image"])
        for one, level in zip(found["label"], other["label"], strict=True):
            np.testing.assert_array_equal(one.numpy(), level)
        assert found["record"] == other["record"]
        assert found["image"].is_shared() == bool(workers)


class Seen(StreamDataset):
    """Says whether the memory of the tensors was shared before torch sends them."""

    def __iter__(self):
        for batch in super().__iter__():
            tensors = [batch["image"], *batch["label"]]
            yield {"shared": [tensor.is_shared() for tensor in tensors]}


def test_kernels_write_into_the_memory_that_is_shared():
    loader = data.DataLoader(
        Seen(stream(**OPTIONS)), None, num_workers=1, multiprocessing_context="fork"
    )
    assert [batch["shared"] for batch in loader] == [[True] * 3] * 6


def test_a_loop_that_breaks_off_leaves_no_process():
    loader = data.DataLoader(
        StreamDataset(stream(**OPTIONS)), None, num_workers=1, multiprocessing_context="fork"
    )
    for _ in loader:
        break
    assert multiprocessing.active_children() == []


def test_what_is_no_stream():
    with pytest.raises(TypeError, match=r"stream must be a volaug\.Stream, got list"):
        StreamDataset([1])
