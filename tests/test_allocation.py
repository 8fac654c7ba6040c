"""Memory that a call keeps for the next one."""

import threading

import numpy as np
import pytest

import volaug
from support.volumes import mild_affine, random_volume
from volaug.warping.engine import allocation
from volaug.warping.engine.allocation import (
    allocated_by,
    empty,
    keep_for_next_call,
    memory_of_last_call,
)


def empty_for_a_call(shape, dtype):
    with memory_of_last_call():
        return empty(shape, dtype)


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """As if what is between 1000 bytes and a million were worth keeping."""
    monkeypatch.setattr(allocation, "LEAST_KEPT", 1000)
    monkeypatch.setattr(allocation, "MOST_KEPT", 1_000_000)
    allocation._kept.clear()
    yield
    allocation._kept.clear()


def address(array):
    return array.__array_interface__["data"][0]


def test_the_next_call_gets_the_memory_that_was_kept():
    first = empty_for_a_call((10, 10, 10), np.float32)
    assert first.shape == (10, 10, 10)
    assert first.dtype == np.float32
    keep_for_next_call(first)
    second = empty_for_a_call((5, 10, 10), np.float64)
    assert address(second) == address(first)
    assert address(empty_for_a_call((5, 10, 10), np.float64)) != address(first)  # it is in use


def test_memory_that_is_too_small_is_let_go():
    keep_for_next_call(empty_for_a_call((10, 10, 10), np.float32))
    assert empty_for_a_call((20, 20, 20), np.float32).size == 8000
    assert not allocation._kept


@pytest.mark.parametrize("side", [5, 80])
def test_small_and_large_arrays_are_not_kept(side):
    keep_for_next_call(empty_for_a_call((side,) * 3, np.float32))
    assert not allocation._kept


def test_no_more_than_one_array_is_kept():
    arrays = [empty_for_a_call((10, 10, 10), np.float32) for _ in range(3)]
    for array in arrays:
        keep_for_next_call(array)
    assert len(allocation._kept) == 1


def test_arrays_that_a_caller_gives_are_not_kept():
    with allocated_by(lambda shape, dtype: np.zeros(shape, dtype)):
        keep_for_next_call(empty_for_a_call((10, 10, 10), np.float32))
    assert not allocation._kept


def test_arrays_in_a_file_are_not_kept(tmp_path):
    file = np.memmap(tmp_path / "array", np.uint8, "w+", shape=4000)
    keep_for_next_call(file.view(np.float32).reshape(10, 10, 10))
    keep_for_next_call(np.frombuffer(bytearray(4000), np.uint8).view(np.float32))
    assert not allocation._kept


@pytest.mark.parametrize("mode", ["constant", "mirror", "grid-constant"])
@pytest.mark.parametrize("dtype", ["float32", "int16", "float64"])
def test_what_a_call_has_left_changes_no_bit(mode, dtype):
    volume = random_volume((21, 17, 19), dtype, seed=3)
    channels = np.stack([volume, volume[::-1]])
    matrix, offset = mild_affine(volume.shape)

    def warped(given):
        return volaug.affine_transform(given, matrix, offset, interpolation="cubic", mode=mode)

    expected, both = warped(volume), warped(channels)
    for left in (np.nan, np.inf, 1e300):
        allocation._kept.clear()
        memory = np.empty(100_000, np.float64)
        memory.fill(left)
        allocation._kept.append(memory.view(np.uint8))
        np.testing.assert_array_equal(warped(volume), expected)
        np.testing.assert_array_equal(warped(channels), both)
        assert len(allocation._kept) == 1


def test_threads_at_once_do_not_share_memory():
    volumes = [random_volume((21, 17, 19), seed=seed) for seed in range(4)]
    matrix, offset = mild_affine(volumes[0].shape)

    def warped(volume):
        return volaug.affine_transform(volume, matrix, offset, interpolation="cubic", threads=1)

    expected, wrong = [warped(volume) for volume in volumes], []

    def work(number):
        for _ in range(30):
            if not np.array_equal(warped(volumes[number]), expected[number]):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_call_that_fails_keeps_nothing(monkeypatch):
    volume = random_volume((21, 17, 19))
    matrix, offset = mild_affine(volume.shape)

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("volaug.warping.resample.warp_volumes", fail)
    with pytest.raises(KeyboardInterrupt):
        volaug.affine_transform(volume, matrix, offset, interpolation="cubic")
    assert not allocation._kept
