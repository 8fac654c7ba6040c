"""What a consumer of batches notices of the loader: how long it waits, and how much slower it is.

The consumer takes the place of a training loop on a GPU. Each step takes 40 ms; for a third of it,
it works in Python and holds the GIL, as a loop does that starts kernels. Then it sleeps, as a loop
does that waits for the GPU. Each loader is measured in pairs with no loader, which alternate.

The last row is a control: processes that share nothing with the consumer make as many batches, and
throw them away. What it loses there is the processor's, and no loader can do better.

    python -m benchmarks.consumer --threads 2 --pairs 10
"""

import argparse
import contextlib
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import volaug
from volaug import Stream, presets

from .brain import case

STEP = 0.040  # seconds
HELD = STEP / 3  # of which the consumer holds the GIL
CASES = 4
PREFETCH = 4
START = 15.0  # seconds in which processes have begun to make batches
SETTLED = 0.5  # seconds after which a loader has filled its queue and stands still

Batches = Iterator[Any]


class Measured(NamedTuple):
    """A loop of some steps."""

    seconds: float
    waited: float  # for batches
    worked: float  # in Python, with the GIL
    processor: float  # seconds of processor time, of children as well


def work_of(seconds: float) -> int:
    """Return how many rounds of `work` take so long when nothing else runs: the best of some."""
    rounds = 20_000
    best = min(timed(lambda: work(rounds)) for _ in range(20))
    return max(1, round(rounds * seconds / best))


def work(rounds: int) -> int:
    """Work in Python, which holds the GIL."""
    total = 0
    for number in range(rounds):
        total += number & 3
    return total


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def consumed(batches: Batches | None, steps: int, rounds: int) -> Measured:
    """Run the consumer for some steps; without batches, nothing is loaded."""
    time.sleep(SETTLED)
    waited = worked = 0.0
    begun, processor = time.perf_counter(), processor_time()
    for _ in range(steps):
        if batches is not None:
            waited += timed(lambda: next(batches))
        worked += timed(lambda: work(rounds))
        time.sleep(STEP - HELD)
    spent = time.perf_counter() - begun
    return Measured(spent, waited, worked, processor_time() - processor)


def processor_time() -> float:
    """Return the processor time of this process and of its children that live, by /proc."""
    own = time.process_time()
    for pid in children():
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
            own += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own


def children() -> list[str]:
    """Return the ids of the children of this process, on Linux."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children") as file:
                found += file.read().split()
    return found


def stream(side: int, threads: int) -> Stream:
    """Return a stream of nnU-Net's augmentation."""
    image, label = case(1)
    cases = [{"image": image, "label": label}] * CASES
    return Stream(
        cases, presets.nnunet(side, deep_supervision=[1, 0.5, 0.25]), patch_shape=side,
        batch_size=2, seed=1, threads=threads, prefetch=PREFETCH,
    )  # fmt: skip


@contextlib.contextmanager
def threads_here(side: int, threads: int) -> Iterator[Batches]:
    """Threads of this process, as tensors."""
    from volaug.integrations.torch import DeviceStream

    with DeviceStream(stream(side, threads), "cpu") as batches:
        yield batches


@contextlib.contextmanager
def worker_process(side: int, threads: int) -> Iterator[Batches]:
    """One worker process with as many threads, of a DataLoader."""
    from torch.utils.data import DataLoader

    from volaug.integrations.torch import StreamDataset

    with stream(side, threads) as made:
        loader = DataLoader(StreamDataset(made), None, num_workers=1, prefetch_factor=PREFETCH)
        yield iter(loader)


@contextlib.contextmanager
def elsewhere(side: int, threads: int) -> Iterator[Batches]:
    """As many processes, which make a batch for each that is taken, and hand over nothing."""
    context = multiprocessing.get_context("spawn")
    wanted = context.BoundedSemaphore(PREFETCH)
    makers = [
        context.Process(target=make_wanted, args=(side, wanted), daemon=True)
        for _ in range(threads)
    ]
    for maker in makers:
        maker.start()

    def taken() -> Iterator[None]:
        while True:
            with contextlib.suppress(ValueError):  # they are behind by a whole queue
                wanted.release()
            yield None

    try:
        time.sleep(START)
        yield taken()
    finally:
        for maker in makers:
            maker.kill()
            maker.join()


def make_wanted(side: int, wanted: Any) -> None:
    """Make batches for ever, each when it is wanted."""
    with stream(side, 1) as batches:
        while wanted.acquire():
            next(batches)


LOADERS = {
    "threads in process": threads_here,
    "one worker process": worker_process,
    "none, as much work elsewhere": elsewhere,
}


def main() -> None:
    """Measure each loader, and print a table."""
    import torch  # here, as asv imports this module, also where there is no torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="of a half of a pair")
    parser.add_argument("--side", type=int, default=128, help="of the patches")
    parser.add_argument(
        "--switch-interval", type=float, default=sys.getswitchinterval(), metavar="SECONDS",
        help="how long a thread may hold the GIL while another one waits (0.005)",
    )  # fmt: skip
    given = parser.parse_args()
    torch.set_num_threads(1)
    sys.setswitchinterval(given.switch_interval)
    volaug.warmup(["float32", "int16"])
    rounds = work_of(HELD)
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, torch {torch.__version__}, volaug {volaug.__version__}: "
        f"{given.pairs} pairs of {given.steps} steps, batches of 2 x {given.side}^3, "
        f"{given.threads} threads, switch interval {given.switch_interval} s\n"
    )
    print("| loader | waits | its own work takes | a step takes | processor time of a batch |")
    print("| --- | --- | --- | --- | --- |")
    for name, loader in LOADERS.items():
        with loader(given.side, given.threads) as batches:
            consumed(batches, 2 * PREFETCH, rounds)  # fills the queues
            pairs = []
            for number in range(given.pairs):
                order = (None, batches) if number % 2 else (batches, None)
                found = {which is None: consumed(which, given.steps, rounds) for which in order}
                pairs.append((found[False], found[True]))
            print(row(name, pairs, given.steps), flush=True)


def row(name: str, pairs: list[tuple[Measured, Measured]], steps: int) -> str:
    """Return the row of a loader: medians of its pairs with and without it."""
    middle = statistics.median
    waits = middle(loaded.waited / loaded.seconds for loaded, _ in pairs)
    slower = middle(loaded.worked / alone.worked - 1 for loaded, alone in pairs)
    longer = middle(loaded.seconds / alone.seconds - 1 for loaded, alone in pairs)
    spent = middle(loaded.processor - alone.processor for loaded, alone in pairs) / steps
    return (
        f"| {name} | {waits:.1%} of the time | {slower:+.1%} | {longer:+.1%} | "
        f"{1e3 * spent:.0f} ms |"
    )


if __name__ == "__main__":
    main()
