"""Tiles that threads share out among themselves, in kernels/warp/shares.py."""

import threading

import numba
import numpy as np
import pytest

from support.volumes import mild_affine, random_volume
from volaug import Warp
from volaug.kernels.warp.shares import HALF, shares_of, take
from volaug.warping.engine import walk


@numba.njit(nogil=True)
def take_all(address, threads, own, taken):
    """Take as long as something is left; how much it was."""
    count = 0
    number = take(address, threads, own)
    while number >= 0:
        taken[count] = number
        count += 1
        number = take(address, threads, own)
    return count


def address_of(shares):
    return np.int64(shares.ctypes.data)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 8, 1000])
def test_shares_follow_each_other_and_make_up_the_whole(count, threads):
    shares = shares_of(count, threads)[:, 0]
    first, stop = shares & (2**HALF - 1), shares >> HALF
    assert first[0] == 0
    assert stop[-1] == count
    np.testing.assert_array_equal(first[1:], stop[:-1])
    assert max(stop - first) - min(stop - first) <= 1


def test_a_thread_takes_its_own_in_order_and_then_the_last_ones_of_who_has_most():
    shares = shares_of(9, 3)
    shares[1, 0] = 6 << HALF | 5  # of 3, 4, 5 only the last one is left
    taken = np.zeros(9, np.int64)
    count = take_all(address_of(shares), 3, 0, taken)
    assert taken[:count].tolist() == [0, 1, 2, 8, 7, 5, 6]


def test_threads_at_once_take_each_thing_once():
    threads, count = 4, 200_000
    shares, begin = shares_of(count, threads), threading.Barrier(threads)
    found = [None] * threads
    take_all(address_of(shares_of(1, 1)), 1, 0, np.zeros(1, np.int64))  # compiles

    def work(own):
        taken = np.empty(count, np.int64)
        begin.wait()
        found[own] = taken[: take_all(address_of(shares), threads, own, taken)]

    workers = [threading.Thread(target=work, args=(own,)) for own in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(count))


@pytest.mark.parametrize("at_once", [1, 5_000, 10**9])
@pytest.mark.parametrize("threads", [1, 2])
def test_how_often_a_thread_returns_to_python_changes_no_bit(monkeypatch, at_once, threads):
    volume = random_volume((40, 37, 35), seed=3)
    warp = Warp((70, 67, 33), np.column_stack(mild_affine(volume.shape)))
    expected = warp.apply(volume)
    monkeypatch.setattr(walk, "VOXELS_AT_ONCE", at_once)
    calls, kernel = [], walk.warp_tiles
    monkeypatch.setattr(walk, "warp_tiles", lambda *a: calls.append(kernel(*a)))
    result = np.full(expected.shape, np.nan, expected.dtype)
    warp.apply(volume, out=result, threads=threads)
    np.testing.assert_array_equal(result, expected)
    assert len(calls) == 1 if (at_once, threads) == (10**9, 1) else len(calls) > 1


@pytest.mark.parametrize("at_once", [5_000, 10**9])
def test_one_thread_fills_what_another_does_not(monkeypatch, at_once):
    volume = random_volume((40, 37, 35), seed=3)
    warp = Warp((70, 67, 33), np.column_stack(mild_affine(volume.shape)))
    expected, kernel = warp.apply(volume), walk.warp_tiles
    monkeypatch.setattr(walk, "VOXELS_AT_ONCE", at_once)

    def kernel_of_the_first(*arguments):
        if arguments[-2] == 0:
            kernel(*arguments)

    monkeypatch.setattr(walk, "warp_tiles", kernel_of_the_first)
    result = np.full(expected.shape, np.nan, expected.dtype)
    warp.apply(volume, out=result, threads=2)
    np.testing.assert_array_equal(result, expected)
