"""A key gives the same bits for any threads, in any process and in any order."""

import concurrent.futures
import multiprocessing
import pickle

import pytest

from support.pipelines import BOXES, POINTS, a_pipeline, bits
from support.volumes import random_labels, random_volume
from volaug import Compose, RandomElastic

SHAPE = (45, 50, 67)  # several tiles of rows each way, and enough voxels for threads


def digest(pipeline, index, n=1):
    """The bits of all targets."""
    sample = pipeline(
        image=random_volume((2, *SHAPE)),
        label=random_labels(SHAPE),
        points=POINTS,
        boxes=BOXES,
        spacing=(1.0, 0.9, 1.5),
        epoch=2,
        index=index,
        threads=n,
    )
    return bits(sample)


INDICES = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def expected():
    pipeline = a_pipeline()
    assert {len(pipeline.draw(SHAPE, epoch=2, index=index).warps) for index in INDICES} == {1, 2}
    return {index: digest(pipeline, index) for index in INDICES}


@pytest.mark.slow
def test_threads_do_not_change_a_bit(sixteen_processors, expected):
    for index in INDICES:
        for n in (2, 3, 7):
            assert digest(a_pipeline(), index, n) == expected[index]


def test_neither_the_order_of_samples_nor_what_else_is_drawn_changes_a_bit(expected):
    pipeline, other = a_pipeline(), Compose([RandomElastic(p=1)], seed=3)
    for index in (2, 0, 3, 2, 1):
        other.draw(SHAPE, index=index)
        pipeline.draw((5, 6, 7), index=index + 1)
        assert digest(pipeline, index) == expected[index]


def test_python_threads_do_not_change_a_bit(sixteen_processors, expected):
    pipeline = a_pipeline()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda index: digest(pipeline, index, 2), INDICES * 3))
    assert results == [expected[index] for index in INDICES * 3]


def send_digests(connection, pipeline):
    connection.send([digest(pipeline, index, 2) for index in INDICES])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.slow
def test_processes_do_not_change_a_bit(method, expected):
    """The pipeline goes there as a pickle, but for a fork."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_digests, args=(sender, a_pipeline()))
    process.start()
    assert receiver.poll(120)
    results = receiver.recv()
    process.join(60)
    assert process.exitcode == 0
    assert results == list(expected.values())


def test_pickled_pipelines_and_drawn_records_do_not_change_a_bit(expected):
    pipeline = pickle.loads(pickle.dumps(a_pipeline()))
    assert pipeline == a_pipeline()
    assert digest(pipeline, 2) == expected[2]
    record = pipeline.draw(SHAPE, spacing=(1.0, 0.9, 1.5), epoch=2, index=2)
    sample = record.apply(
        image=random_volume((2, *SHAPE)), label=random_labels(SHAPE), points=POINTS, boxes=BOXES
    )
    assert bits(sample) == expected[2]
    assert sample.record is record
