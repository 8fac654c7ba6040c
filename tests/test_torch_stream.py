"""Batches of a stream as tensors, on the CPU and on a device that is simulated."""

import gc
import itertools
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from support.streams import CASES, stream
from volaug import Compose, LabelPyramid, RandomAffine
from volaug.data.cases import CaseError

torch = pytest.importorskip("torch")

from support.fake_cuda import FakeCuda  # noqa: E402
from volaug.integrations.torch import DeviceStream  # noqa: E402

pytestmark = pytest.mark.oracle("torch")

SMALL = {
    "pipeline": Compose([RandomAffine(p=1.0), LabelPyramid([1, 0.5])]),
    "patch_shape": 8,
    "threads": 2,
}


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda().installed(monkeypatch)


def expected(count, **options):
    with stream(**{**SMALL, **options}) as made:
        return list(itertools.islice(made, count))


def same(found, wanted):
    assert found.keys() == wanted.keys()
    np.testing.assert_array_equal(found["image"].numpy(), wanted["image"])
    for one, other in zip(found["label"], wanted["label"], strict=True):
        assert isinstance(one, torch.Tensor)
        np.testing.assert_array_equal(one.numpy(), other)
    assert found["record"] == wanted["record"]


def streams_threads():
    return [thread for thread in threading.enumerate() if thread.name == "volaug-stream"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_have_the_bits_of_the_stream(device, cuda):
    wanted = expected(7)
    with DeviceStream(stream(**SMALL), device) as batches:
        kept = list(itertools.islice(batches, 7))  # by a consumer that lets no batch go
    for found, other in zip(kept, wanted, strict=True):
        same(found, other)


def test_tensors_on_the_cpu_are_the_arrays_of_the_batch():
    made = stream(**SMALL)
    arrays = []
    made.allocate_with(lambda *form: arrays.append(np.empty(*form)) or arrays[-1])
    with DeviceStream(made, "cpu") as batches:
        batch = next(batches)
    owned = {array.ctypes.data for array in arrays}
    assert {batch["image"].data_ptr(), *(t.data_ptr() for t in batch["label"])} <= owned


def test_a_batch_is_uploaded_while_the_one_before_is_in_use(cuda):
    with DeviceStream(stream(**SMALL), "cuda") as batches:
        assert str(batches.device) == "cuda:1"
        next(batches)
        deadline = time.monotonic() + 20
        while not batches.stream.next_is_ready:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        before = cuda.uploads
        next(batches)  # which had to be uploaded itself, or was already; and the next one
        assert cuda.uploads >= before + 3
        assert batches._uploads._side.work, "the copy ahead is waited for by nobody"
        assert batches.batches == 2
        assert batches.stream.batches == 3


def test_each_tensor_is_recorded_in_the_stream_that_uses_it(cuda):
    with DeviceStream(stream(**SMALL), "cuda:0") as batches:
        for _ in range(4):
            cuda.recorded.clear()
            batch = next(batches)
            tensors = [batch["image"], *batch["label"]]
            assert cuda.recorded == [(t.data_ptr(), cuda.current) for t in tensors]


def test_pinned_memory_is_used_again_after_its_copy_alone(cuda):
    """The simulated device fails if memory is spoiled that it has not copied."""
    with DeviceStream(stream(**SMALL), "cuda") as batches:
        for _ in range(30):
            next(batches)
        gc.collect()
        # three arrays a batch: of those made ahead, in use, and on their way
        assert len(cuda.pinned) <= 3 * 6


def test_copies_end_before_memory_goes(cuda):
    for how in ("close", "drop"):
        batches = DeviceStream(stream(**SMALL), "cuda")
        next(batches)
        while not batches.stream.next_is_ready:
            time.sleep(0.01)
        next(batches)
        side = batches._uploads._side
        assert side.work
        if how == "close":
            batches.close()
        del batches
        gc.collect()
        assert side.work == []


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_dtype_and_memory_format(device, cuda):
    options = {"dtype": torch.bfloat16, "memory_format": torch.channels_last_3d}
    (wanted,) = expected(1)
    with DeviceStream(stream(**SMALL), device, **options) as batches:
        batch = next(batches)
    assert batch["image"].is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(batch["image"], torch.from_numpy(wanted["image"]).bfloat16())
    for one, other in zip(batch["label"], wanted["label"], strict=True):
        np.testing.assert_array_equal(one.numpy(), other)  # and its dtype
        assert one.numpy().dtype == other.dtype


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_passes_follow_one_another(device, cuda):
    wanted = expected(9)
    with DeviceStream(stream(**SMALL), device, batches_per_epoch=3) as batches:
        assert len(batches) == 3
        found = [batch for _ in range(3) for batch in batches]
        batches.set_epoch(1)
        again = list(batches)
        batches.set_epoch(2)  # where it stands
        state = batches.stream.batches
        batches.set_epoch(2)
        assert batches.stream.batches == state
    for one, other in zip([*found, *again], [*wanted, *wanted[3:6]], strict=True):
        same(one, other)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_it_goes_on_in_the_middle_of_an_epoch(device, count, cuda):
    wanted = expected(8)
    with DeviceStream(stream(**SMALL), device, batches_per_epoch=3) as batches:
        for batch in itertools.islice(itertools.chain(batches, batches), count):
            del batch
        time.sleep(0.05)  # so that batches are made, and one is uploaded ahead
        state = batches.state_dict()
    assert state["batches"] == count
    with DeviceStream(stream(**SMALL), device, batches_per_epoch=3) as batches:
        batches.load_state_dict(state)
        found = list(batches)
        assert len(found) == 3 - count % 3
        found += list(batches)
    for one, other in zip(found, wanted[count:], strict=False):
        same(one, other)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_pass_that_is_broken_off_and_a_stream_that_ends(device, cuda):
    with DeviceStream(stream(**SMALL, epochs=4), device, batches_per_epoch=4) as batches:
        for _ in batches:
            break
        assert len(list(batches)) == 4
        assert len(list(batches)) == 1  # the last of 6
        assert list(batches) == []
    with DeviceStream(stream(**SMALL, epochs=4), device) as batches:
        assert len(batches) == 6
        next(batches)
        assert len(batches) == 5
        assert batches.report().batches >= 1
        assert len(list(batches)) == 5


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_no_thread_is_left(device, cuda):
    with suppress(ZeroDivisionError), DeviceStream(stream(**SMALL), device) as batches:
        next(batches)
        raise ZeroDivisionError
    assert streams_threads() == []
    batches = DeviceStream(stream(**SMALL), device)
    next(batches)
    del batches
    gc.collect()
    deadline = time.monotonic() + 20
    while streams_threads():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_case_that_fails_is_an_error_of_its_own_batch(device, cuda):
    def broken():
        raise OSError("the disk is gone")

    options = SMALL | {"batch_size": 1}
    order = [record.key.index for batch in expected(9, batch_size=1) for record in batch["record"]]
    made = stream([lambda: CASES[0], lambda: CASES[1], broken], **options)
    with DeviceStream(made, device) as batches:
        for _ in range(order.index(2)):
            next(batches)
            time.sleep(0.05)  # so that the broken one fails before anyone asks for it
        with pytest.raises(CaseError, match=r"case 2 .*the disk is gone"):
            next(batches)
    assert streams_threads() == []


def test_a_batch_without_room_is_kept(cuda):
    wanted = expected(3)
    with DeviceStream(stream(**SMALL), "cuda") as batches:
        cuda.room = 0
        with pytest.raises(torch.cuda.OutOfMemoryError, match=r"has no room on cuda:1") as caught:
            next(batches)
        assert "\n" not in str(caught.value)
        assert batches.state_dict()["batches"] == 0
        cuda.room = 3
        same(next(batches), wanted[0])  # there is none for the next one
        cuda.room = None
        same(next(batches), wanted[1])
        same(next(batches), wanted[2])


THERE = 'device must be "cpu", "cuda" or "cuda:N"'


@pytest.mark.parametrize("device", ["gpu", "meta", "mps", "", None, 3.5, "cuda:x", [1]])
def test_a_device_of_another_kind(device):
    with stream() as made, pytest.raises(ValueError, match=f"{THERE}, got ") as caught:
        DeviceStream(made, device)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there(monkeypatch, cuda):
    with stream() as made:
        with pytest.raises(ValueError, match=f"{THERE} with N from 0 to 1, got 'cuda:2'"):
            DeviceStream(made, "cuda:2")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ValueError, match=f"{THERE}, got 'cuda', but torch finds no CUDA"):
            DeviceStream(made, "cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": torch.int8}, r"dtype must be one of None, torch\.float16.* got torch\.int8"),
        ({"dtype": "float16"}, r"dtype must be one of .* got 'float16'"),
        ({"memory_format": torch.channels_last}, "memory_format must be one of .*channels_last$"),
        ({"batches_per_epoch": 0}, "batches_per_epoch must be from 1"),
        ({"batches_per_epoch": 2.5}, "batches_per_epoch must be a whole number"),
    ],
)
def test_bad_arguments(options, message):
    with stream() as made, pytest.raises((TypeError, ValueError), match=message):
        DeviceStream(made, "cpu", **options)


def test_what_is_no_stream_and_no_epoch():
    with pytest.raises(TypeError, match=r"stream must be a volaug\.Stream, got list"):
        DeviceStream([1], "cpu")
    with DeviceStream(stream(), "cpu") as batches:
        with pytest.raises(TypeError, match=r"set_epoch needs .* batches_per_epoch="):
            batches.set_epoch(1)
        with pytest.raises(ValueError, match="the state is of another stream"):
            batches.load_state_dict({**batches.state_dict(), "seed": 99})
