"""Long tries in a process of their own, which may crash or hang without ending the tests.

    python -m support.campaigns interrupts 2000
    python -m support.campaigns forks 1000

The suite runs short ones. `VOLAUG_CAMPAIGNS=run` makes them as long as `.ci/run` has them, and
`VOLAUG_CAMPAIGNS=full` as long as `.ci/full` does.
"""

import faulthandler
import os
import sys
import threading
import time

import numpy as np

import volaug
from support.faults import Injected, in_a_fork, interrupted_after
from volaug.threads import limits

LENGTH = os.environ.get("VOLAUG_CAMPAIGNS", "short")
FULL = LENGTH == "full"

STEPS = [
    volaug.RandomFlip(p=0.5),
    volaug.RandomAffine(p=0.8),
    volaug.RandomElastic(p=0.5),
    volaug.RandomNoise(p=0.5),
    volaug.RandomBlur(p=0.5),
    volaug.RandomGamma(p=0.5),
    volaug.RandomBrightness(p=0.5),
    volaug.RandomContrast(p=0.5),
    volaug.RandomLowResolution(p=0.5),
    volaug.RandomBiasField(p=0.5),
    volaug.RandomHistogramShift(p=0.5),
]


def size(**tries):
    """How many tries a campaign has, by its length: ``size(short=1, run=5, full=50)``."""
    if LENGTH not in tries:
        raise ValueError(f"VOLAUG_CAMPAIGNS must be {', '.join(tries)}, got {LENGTH!r}")
    return tries[LENGTH]


def operations(rng):
    """Warps, pipelines and streams of 64 to 320 voxels a side; each call returns nothing."""
    sides = [64, 96, 128, 200] + ([320] if FULL else [])
    volumes = [rng.random((n, n, n), np.float32) for n in sides]
    labels = [(volume > 0.5).astype(np.uint8) for volume in volumes]
    pipeline = volaug.Compose(STEPS, seed=3)

    def warp():
        pick = rng.integers(len(volumes))
        points = rng.uniform(-3, 3, (3, 6, 6, 6))
        matrix = np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3))
        interpolation = str(rng.choice(["linear", "nearest", "cubic", "label"]))
        source = labels[pick] if interpolation == "label" else volumes[pick]
        volaug.elastic_deform(source, points, matrix=matrix, interpolation=interpolation, threads=2)

    def move():
        pick = rng.integers(len(volumes))
        matrix = np.diag([1.0, -1.0, 1.0])[rng.permutation(3)]
        volaug.affine_transform(volumes[pick], matrix, mode="wrap", threads=2)

    def augment():
        pick = rng.integers(len(volumes))
        index = int(rng.integers(10**6))
        pipeline(image=volumes[pick], label=labels[pick], index=index, threads=2)

    def stream():
        cases = [{"image": v, "label": m} for v, m in zip(volumes[:3], labels[:3], strict=True)]
        options = {"patch_shape": 48, "batch_size": 2, "seed": int(rng.integers(10**6))}
        with volaug.Stream(cases, pipeline, threads=2, **options) as made:
            for _ in range(3):
                next(made)

    return [warp, move, augment, stream]


def picture():
    """A small result that any thread left behind could spoil, and its bits."""
    volume = np.random.default_rng(1).random((70, 60, 50), np.float32)
    sample = volaug.Compose(STEPS, seed=9)(image=volume, index=4, threads=2)
    warped = volaug.affine_transform(volume, np.eye(3) * 0.9, threads=2)
    return sample["image"].tobytes() + warped.tobytes()


def interrupts(count):
    """Interrupt calls at random moments and drop their results: no crash, no wrong picture."""
    rng = np.random.default_rng(0)
    calls = operations(rng)
    for call in calls * 2:  # what is compiled is loaded
        call()
    expected, wrong, interrupted = picture(), 0, 0
    seconds = {}
    for call in calls:
        start = time.perf_counter()
        for _ in range(3):
            call()
        seconds[call] = (time.perf_counter() - start) / 3
    while interrupted < count:
        call = calls[rng.integers(len(calls))]
        try:
            with interrupted_after(rng.uniform(0, 1.2) * seconds[call]):
                call()
        except Injected:
            interrupted += 1
            if interrupted % 20 == 0:
                wrong += picture() != expected
    print(f"{interrupted} interrupts, {wrong} wrong pictures, {threading.active_count()} threads")
    return wrong


def forks(count):
    """Fork at random moments beside threads that draw, apply and stream: no child hangs."""
    rng = np.random.default_rng(0)
    shape = (33, 34, 35)  # as small as is worth a second thread
    volume = rng.random(shape, np.float32)
    pipeline = volaug.Compose(STEPS, seed=3)
    options = {"patch_shape": 33, "batch_size": 2, "seed": 5, "threads": 1}
    streams = [volaug.Stream([{"image": volume}], pipeline, **options) for _ in range(2)]
    ended = threading.Event()

    def replay(index):
        record = pipeline.draw(shape, index=index)
        return record.invert(image=record.apply(image=volume, threads=2)["image"], threads=2)

    def draw(number):
        index = number
        while not ended.is_set():
            index += 8
            replay(index)

    def consume(stream):
        while not ended.is_set():
            next(stream)

    expected = [
        replay(index)["image"].tobytes() for index in range(20)
    ]  # what is compiled is loaded

    def work():
        pick = int(rng.integers(20))
        assert replay(pick)["image"].tobytes() == expected[pick]
        next(streams[0])
        streams[1].report()
        streams[1].close()

    busy = [threading.Thread(target=draw, args=(n,), daemon=True) for n in range(2)]
    busy += [threading.Thread(target=consume, args=(s,), daemon=True) for s in streams]
    for thread in busy:
        thread.start()
    hung = failed = 0
    for _ in range(count):
        time.sleep(rng.uniform(0, 0.01))
        status = in_a_fork(work)
        hung += status is None
        failed += status not in (0, None)
    ended.set()
    for thread in busy:
        thread.join()
    print(f"{count} forks, {hung} hung, {failed} failed")
    return hung + failed


if __name__ == "__main__":
    faulthandler.enable()
    if limits.granted_threads() < 2:
        limits.granted_threads = lambda: 2
    sys.exit({"interrupts": interrupts, "forks": forks}[sys.argv[1]](int(sys.argv[2])) > 0)
