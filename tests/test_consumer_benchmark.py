"""What `python -m benchmarks.consumer` adds up."""

import time

from benchmarks import consumer
from benchmarks.consumer import Measured, consumed, row


def slow():
    while True:
        time.sleep(0.02)
        yield None


def test_waiting_and_work_are_told_apart(monkeypatch):
    monkeypatch.setattr(consumer, "SETTLED", 0)
    monkeypatch.setattr(consumer, "STEP", 0.002)
    monkeypatch.setattr(consumer, "HELD", 0.001)
    alone, loaded = consumed(None, 5, 2_000), consumed(slow(), 5, 2_000)
    assert alone.waited == 0
    assert loaded.waited >= 5 * 0.02
    for found in (alone, loaded):
        assert found.worked > 0
        assert found.seconds >= found.waited + found.worked + 5 * 0.001


def test_a_row_has_medians_of_pairs():
    alone = Measured(seconds=10.0, waited=0.0, worked=3.0, processor=3.0)
    pairs = [
        (Measured(10.0 + n, waited=0.1 * n, worked=3.0 + 0.3 * n, processor=4.0), alone)
        for n in (1, 0, 4)
    ]
    text = row("threads", pairs, steps=20)
    assert text == "| threads | 0.9% of the time | +10.0% | +10.0% | 50 ms |"


def test_work_elsewhere_is_done_for_each_batch_and_ends(monkeypatch):
    monkeypatch.setattr(consumer, "START", 0)
    before = set(consumer.children())
    with consumer.elsewhere(16, 2) as batches:
        assert [next(batches) for _ in range(3 * consumer.PREFETCH)] == [None] * 12
        makers = set(consumer.children()) - before
        assert len(makers) >= 2  # and a process that keeps count of semaphores
    assert len(set(consumer.children()) & makers) <= 1
