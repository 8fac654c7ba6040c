"""Command line of the experiment."""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import volaug
from volaug.threads.limits import granted_threads

from .arms import ARMS
from .experiment import FIRST_MOVE, STRENGTHS, Outcome, Run, Setting, carry_out
from .heads import Head, load_heads
from .moves import Pair, at_rest, moved
from .results import as_json, from_json, table


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.small_dataset",
        description="Train a small U-Net on one head with several amounts of augmentation, and "
        "test it on another head, moved by SimpleITK. The heads are MNI152 (nilearn) and ch2 with "
        "the AAL (Debian: apt-get download mricron-data; dpkg -x mricron-data_*.deb FOLDER).",
    )
    parser.add_argument("--ch2", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--drawn-from",
        type=Path,
        metavar="FILE",
        help="JSON of an earlier run, of which only the table and the figure are made",
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks of each arm (3)")
    parser.add_argument("--steps", type=int, default=Setting.steps, help="of a training (600)")
    parser.add_argument("--spacing", type=float, default=Setting.spacing, help="in mm (6)")
    parser.add_argument("--processes", type=int, default=granted_threads())
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="write a PNG there")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all, print a table, and write what was asked for."""
    options = arguments(argv)
    setting = Setting(spacing=options.spacing, steps=options.steps)
    try:
        heads = {head.name: head for head in load_heads(options.ch2)}
    except (OSError, ValueError) as error:
        print(f"benchmarks.small_dataset: {error}", file=sys.stderr)
        return 1
    if options.drawn_from:
        outcomes = from_json(json.loads(options.drawn_from.read_text()))
    else:
        outcomes = carried_out(heads, setting, options)
    print(table(outcomes))
    if options.figure:
        from .figure import draw

        draw(outcomes, heads["MNI152"], setting.spacing, options.figure)
    return 0


def carried_out(
    heads: dict[str, Head], setting: Setting, options: argparse.Namespace
) -> list[Outcome]:
    """Train and test all networks, in processes of one thread."""
    training = {name: at_rest(head, setting.spacing) for name, head in heads.items()}
    tests: dict[str, dict[float, list[Pair]]] = {
        name: {
            strength: [
                moved(head, setting.spacing, strength, FIRST_MOVE + number)
                for number in range(setting.moves if strength else 1)
            ]
            for strength in STRENGTHS
        }
        for name, head in heads.items()
    }
    first, second = heads
    runs = [
        Run(arm, one, other, seed)
        for seed, (one, other), arm in itertools.product(
            range(options.seeds), ((first, second), (second, first)), ARMS
        )
    ]
    outcomes: list[Outcome] = []
    volaug.warmup(["float32", "uint8"])  # once, and not in each process
    pool = ProcessPoolExecutor(options.processes, get_context("spawn"))
    with pool:
        jobs = [
            pool.submit(carry_out, run, setting, training[run.trained_on], tests[run.tested_on])
            for run in runs
        ]
        for job in as_completed(jobs):
            outcomes.append(job.result())
            if options.json:  # what is there is kept if the rest is interrupted
                content = as_json(outcomes, asdict(setting))
                options.json.write_text(json.dumps(content, indent=1) + "\n")
            run, loss = outcomes[-1].run, outcomes[-1].loss
            print(
                f"{len(outcomes)} of {len(runs)}: {run.arm}, {run.trained_on}, seed {run.seed}: "
                f"loss {loss:.2f}, {outcomes[-1].seconds:.0f} s",
                file=sys.stderr,
            )
    outcomes.sort(key=lambda outcome: runs.index(outcome.run))
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
