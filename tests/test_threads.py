import concurrent.futures
import itertools
import multiprocessing
import os
import threading
import time

import numpy as np
import pytest

from support.volumes import mild_affine, random_volume
from volaug import Warp, get_num_threads, set_num_threads
from volaug.checks import INTERPOLATIONS
from volaug.threads import limits
from volaug.threads.limits import granted_threads
from volaug.threads.parts import PARTS_PER_THREAD, run_parts
from volaug.warping.engine import walk

SHAPE = (45, 50, 67)  # several tiles of rows each way, and widths that are no multiple of 8


@pytest.fixture(autouse=True)
def _automatic(monkeypatch):
    monkeypatch.delenv("VOLAUG_NUM_THREADS", raising=False)
    yield
    set_num_threads(None)


def a_warp(elastic=True):
    matrix, offset = mild_affine(SHAPE)
    points = np.random.default_rng(0).normal(0, 1.5, (3, 6, 7, 8)) if elastic else None
    return Warp(SHAPE, matrix, offset, points)


def digest(elastic=True, n=None):
    volume = random_volume(SHAPE)
    return a_warp(elastic).apply(volume, threads=n).tobytes()


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_threads_do_not_change_a_bit(sixteen_processors, elastic, interpolation):
    volume, warp = random_volume((2, *SHAPE)), a_warp(elastic)
    one = warp.apply(volume, interpolation=interpolation, threads=1)
    for n in (2, 3, 7, 16):
        result = warp.apply(volume, interpolation=interpolation, threads=n)
        np.testing.assert_array_equal(result, one)


@pytest.mark.parametrize("elastic", [False, True])
def test_tiles_do_not_change_a_bit(monkeypatch, elastic):
    volumes = {"one": random_volume(SHAPE), "three": random_volume((3, *SHAPE))}
    found = set()
    for size in ((16, 16), (5, 16), (16, 3), (1, 1), (40, 7)):
        monkeypatch.setattr(walk, "TILE", size)
        monkeypatch.setattr(walk, "TILE_OF_PARALLEL_ROWS", size)
        monkeypatch.setattr(walk, "TILE_OF_SEVERAL_PARALLEL_ROWS", size)
        results = [a_warp(elastic).apply(volume, threads=2) for volume in volumes.values()]
        results += a_warp(elastic).apply_all(volumes, threads=2).values()
        found.add(b"".join(result.tobytes() for result in results))
    assert len(found) == 1


def test_a_part_of_the_rows_is_a_part_of_the_whole():
    """Wherever its tile begins."""
    volume, warp = random_volume(SHAPE), a_warp(elastic=False)
    whole = warp.apply(volume)
    for z, y in ((3, 5), (17, 30)):
        rows = (SHAPE[0] - z, SHAPE[1] - y, SHAPE[2])
        shifted = Warp(rows, warp.matrix, warp.matrix @ (z, y, 0) + warp.offset)
        np.testing.assert_allclose(shifted.apply(volume), whole[z:, y:], atol=2e-6)


def test_eight_python_threads_at_once(sixteen_processors):
    expected = digest(n=1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: digest(n=n), [1, 2, 3, 4] * 8))
    assert set(results) == {expected}


def child(connection):
    connection.send((get_num_threads(), [digest(n=n) for n in (2, 1)]))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.slow
def test_after_the_pool_was_used_a_child_works_too(method, sixteen_processors):
    expected = digest(n=4)  # in this process the pool has threads now
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender,))
    process.start()
    assert receiver.poll(120)
    default_threads, results = receiver.recv()
    process.join(60)
    assert process.exitcode == 0
    assert results == [expected] * 2
    assert default_threads == 1


def test_a_bare_fork_works_too(sixteen_processors):
    expected = digest(n=4)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.write(writer, b"same" if digest(n=3) == expected else b"else")
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"same"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_who_decides(monkeypatch, processors):
    processors(6)
    assert get_num_threads() == 6
    monkeypatch.setenv("VOLAUG_NUM_THREADS", "5")
    assert get_num_threads() == 5
    set_num_threads(4)
    assert get_num_threads() == 4
    assert limits.thread_count(3) == 3
    set_num_threads(None)
    assert get_num_threads() == 5
    assert limits.thread_count(99) == 6
    monkeypatch.setenv("VOLAUG_NUM_THREADS", "a few")
    with pytest.raises(TypeError, match=r"VOLAUG_NUM_THREADS must be .* got 'a few'"):
        get_num_threads()
    monkeypatch.setenv("VOLAUG_NUM_THREADS", "0")
    with pytest.raises(ValueError, match=r"VOLAUG_NUM_THREADS must be .* got 0"):
        get_num_threads()


def test_no_more_than_the_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    monkeypatch.setattr(limits, "_cgroup_limit", lambda: 99)
    assert granted_threads() == 3
    monkeypatch.setattr(limits, "_cgroup_limit", lambda: 2)
    assert granted_threads() == 2


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "50000 100000"}, 1),
        (
            "5:memory:/x\n4:cpu,cpuacct:/x\n0::/\n",
            {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"},
            3,
        ),
        (
            "4:cpuacct,cpu:/not/mounted/here\n",
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"},
            1,
        ),
        ("4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "1"}, None),
        ("0::/\n", {}, None),
    ],
)
def test_the_quota_of_a_cgroup(tmp_path, groups, files, limit):
    (tmp_path / "cgroup").write_text(groups)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = limits._cgroup_limit(tmp_path / "cgroup", tmp_path)
    assert found == limit if limit else found > 2**31


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (b"0::/\n", {"cpu.max": b"100000"}),
        (b"0::/\n", {"cpu.max": b""}),
        (b"0::/\n", {"cpu.max": b"\n\n"}),
        (b"0::/\n", {"cpu.max": b"100000 0"}),
        (b"0::/\n", {"cpu.max": b"-1 100000"}),
        (b"0::/\n", {"cpu.max": b"a few of them"}),
        (b"0::/\n", {"cpu.max": b"\xff\xfe 100000"}),
        (b"0::/\n", {"cpu.max": b"100000 100000 100000"}),
        (b"0::/\n", {"cpu.max": b"9" * 400 + b" 1"}),
        (b"\n\n", {}),
        (b"0\n", {}),
        (b"0:/\n", {}),
        (b"::\n", {"cpu.max": b"1 1"}),
        (b"0::\xff\x00/\n", {}),
        (b"0::/a\x00b\n", {}),
        (b"4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": b"200000"}),
        (b"4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": b"2", "cpu/x/cpu.cfs_period_us": b"0"}),
        (b"4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": b"x", "cpu/x/cpu.cfs_period_us": b"\xff"}),
    ],
)
def test_a_cgroup_of_an_odd_form_sets_no_limit(tmp_path, groups, files):
    (tmp_path / "cgroup").write_bytes(groups)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert limits._cgroup_limit(tmp_path / "cgroup", tmp_path) > 2**31


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_variable_is_none(monkeypatch, processors, empty):
    processors(6)
    monkeypatch.setenv("VOLAUG_NUM_THREADS", empty)
    assert get_num_threads() == 6


def test_an_error_in_one_part_surfaces_and_ends_the_others(sixteen_processors):
    done = []

    def work(first, stop):
        if first == 0:
            raise MemoryError("no room")
        time.sleep(0.02)
        done.append(first)

    with pytest.raises(MemoryError, match="no room"):
        run_parts(work, 1000, 4)
    assert len(done) < 100


def test_parts_make_up_the_whole(sixteen_processors):
    for count in (1, 2, 5, 31, 32, 33, 1000):
        for n in (1, 2, 3, 7):
            seen, lock = [], threading.Lock()

            def work(first, stop, seen=seen, lock=lock):
                with lock:
                    seen.extend(range(first, stop))

            run_parts(work, count, n)
            assert sorted(seen) == list(range(count))


def test_parts_of_a_thread_follow_each_other(sixteen_processors):
    """A tile reads what the one before has prefetched."""
    ranges, together = {}, threading.Barrier(2)

    def work(first, stop):
        mine = ranges.setdefault(threading.get_ident(), [])
        if not mine:
            together.wait()
        mine.append((first, stop))
        time.sleep(0.002)

    run_parts(work, 64, 2)
    gaps = [
        before[1] != after[0]
        for mine in ranges.values()
        for before, after in itertools.pairwise(mine)
    ]
    assert sum(len(mine) for mine in ranges.values()) == 2 * PARTS_PER_THREAD
    assert sum(gaps) <= 6  # at the end, where one thread takes parts of the other


def test_who_is_done_takes_parts_of_the_others(sixteen_processors):
    """The caller does all of its own parts, and those of a thread that stands still."""
    first_of, done, count = {}, threading.Event(), 4 * PARTS_PER_THREAD

    def work(first, stop):
        thread = threading.get_ident()
        first_of.setdefault(thread, []).append(first)
        if thread != caller:
            assert done.wait(10)
        elif sum(map(len, first_of.values())) == count:
            done.set()

    caller = threading.get_ident()
    run_parts(work, count, 4)
    assert len(first_of[caller]) >= count - 3
    assert sorted(itertools.chain(*first_of.values())) == list(range(count))
