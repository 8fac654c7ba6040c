"""Cases that a stream keeps in memory: the same bits, no more bytes than asked, read once."""

import pickle
import threading

import nibabel
import numpy as np
import pytest

from support.streams import CASES, batches, same, stream
from volaug.data.decoded import Decoded, DecodedCases, size_of
from volaug.data.samples import SampleMaker


class Lazy:
    """A volume that counts the voxels that are read of it."""

    def __init__(self, voxels):
        self.voxels, self.shape, self.dtype = voxels, voxels.shape, voxels.dtype
        self.reads, self.read = 0, 0

    def __getitem__(self, window):
        self.reads += 1
        part = self.voxels[window]
        self.read += part.size
        return part


def lazy_cases():
    return [{name: Lazy(volume) for name, volume in case.items()} for case in CASES]


BYTES = [sum(volume.nbytes for volume in case.values()) for case in CASES]


@pytest.fixture
def files(tmp_path):
    cases = []
    for number, case in enumerate(CASES):
        paths = {name: tmp_path / f"{number}_{name}.nii.gz" for name in case}
        for name, path in paths.items():
            nibabel.Nifti1Image(case[name], np.diag([1.0, 1.1, 1.2, 1.0])).to_filename(path)
        cases.append(paths)
    return cases


@pytest.mark.parametrize("cache_bytes", [1, max(BYTES), sum(BYTES)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_bits_as_without_a_cache(cache_bytes, threads):
    given = {"cache_bytes": cache_bytes, "threads": threads}
    cached, read = batches(6, cases=lazy_cases(), **given), batches(6, cases=lazy_cases())
    for one, other in zip(cached, read, strict=True):
        same(one, other)


def test_the_same_bits_of_files(files):
    for one, other in zip(
        batches(5, cases=files, cache_bytes=2**30), batches(5, cases=files), strict=True
    ):
        same(one, other)


def test_what_fits_is_read_once():
    cases = lazy_cases()
    batches(12, cases=cases, cache_bytes=sum(BYTES), threads=3)
    images = [case["image"] for case in cases]
    assert [image.read for image in images] == [image.voxels.size for image in images]


def test_what_does_not_fit_is_read_in_parts():
    cases = lazy_cases()
    batches(6, cases=cases, cache_bytes=min(BYTES) - 1)
    assert all(case["image"].reads > 1 for case in cases)


def test_no_more_bytes_than_asked():
    limit = sum(sorted(BYTES)[:2])
    with stream(lazy_cases(), cache_bytes=limit, threads=2) as made:
        sizes = []
        for _ in range(12):
            next(made)
            sizes.append(sum(map(size_of, list(made._maker._decoded._kept.values()))))
    assert 0 < max(sizes) <= limit


def test_those_used_last_are_kept():
    maker = SampleMaker(lazy_cases(), stream()._maker._pipeline, 8, 0, 1, None, 0)
    opened = [case.open() for case in maker._cases]
    cases = DecodedCases(BYTES[0] + max(BYTES[1:]))
    for number in (0, 1, 0, 2):
        cases.kept(number, opened[number])
    assert sorted(cases._kept) == [0, 2]


def test_arrays_are_not_kept_twice():
    with stream(cache_bytes=2**30) as made:
        next(made)
        assert not made._maker._decoded._kept


def test_functions_are_called_for_each_sample():
    calls = []

    def load():
        calls.append(1)
        return lazy_cases()[0]

    batches(3, cases=[load], cache_bytes=2**30, foreground=0.0)
    assert len(calls) > 3


def test_nothing_writes_to_what_is_kept():
    volume = Decoded(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="read-only"):
        volume[..., :1][:] = 1


def test_who_needs_a_case_under_way_waits_for_it():
    """And a case is decoded once, whatever number of threads ask for it."""
    started, go_on = threading.Event(), threading.Event()

    class Slow(Lazy):
        def __getitem__(self, window):
            started.set()
            assert go_on.wait(10)
            return super().__getitem__(window)

    lazy = {"image": Slow(CASES[0]["image"])}
    maker = SampleMaker(lazy_cases(), stream()._maker._pipeline, 8, 0, 1, None, 0)
    opened = maker._cases[0].open()._replace(volumes=lazy)
    cases, found = DecodedCases(2**30), []
    threads = [
        threading.Thread(target=lambda: found.append(cases.kept(0, opened))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(found) == 4
    assert all(one is found[0] for one in found)
    assert lazy["image"].reads == 1


def test_an_error_is_raised_and_the_next_one_tries_again():
    class Broken(Lazy):
        def __getitem__(self, window):
            super().__getitem__(window)
            raise OSError("no disk")

    maker = SampleMaker(lazy_cases(), stream()._maker._pipeline, 8, 0, 1, None, 0)
    opened = maker._cases[0].open()._replace(volumes={"image": Broken(CASES[0]["image"])})
    cases = DecodedCases(2**30)
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            cases.kept(0, opened)
    assert not cases._kept
    assert not cases._under_way


def test_another_process_begins_without_it():
    cases = DecodedCases(7)
    cases._kept[0] = None
    assert not pickle.loads(pickle.dumps(cases))._kept


@pytest.mark.parametrize("value", [-1, 1.5, "1 GB"])
def test_bytes_that_are_none(value):
    with pytest.raises((TypeError, ValueError), match="cache_bytes must be"):
        stream(cache_bytes=value)
