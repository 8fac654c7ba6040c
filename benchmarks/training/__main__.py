"""Command line of the measurement."""

import argparse
import itertools
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import volaug
from volaug import presets
from volaug.threads.limits import granted_threads

from . import report
from .measure import Speed, speed_of
from .network import Trainer
from .task import Task, made_task
from .ways.known import WAYS

SIDES = {"cuda": 128, "cpu": 32}
SECONDS = {"cuda": 20.0, "cpu": 10.0}
PRESETS = {"nnunet": presets.nnunet, "nnunet_elastic": presets.nnunet_elastic}
MULTIPLE = 16  # the sides of patches: the network halves them


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, or stop with what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description="Steps a second of training nnU-Net's 3D network with batches that nnU-Net, "
        "MONAI, TorchIO or volaug make, beside a batch that stays on the device. What is not "
        "installed is left out.",
    )
    parser.add_argument("--device", choices=SIDES, default=None, help="cuda if there is one")
    parser.add_argument("--ways", help=f"of {', '.join(WAYS)}, separated by commas; all without")
    parser.add_argument("--workers", type=int, default=granted_threads(), metavar="N")
    parser.add_argument("--preset", choices=PRESETS, default="nnunet", help="of volaug (nnunet)")
    parser.add_argument("--side", type=int, help="of a patch (cuda: 128, cpu: 32)")
    parser.add_argument("--seconds", type=float, help="of each measurement (cuda: 20, cpu: 10)")
    parser.add_argument("--rounds", type=int, default=1, help="measurements of each way (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--markdown", action="store_true", help="a table for GitHub")
    options = parser.parse_args(argv)
    if options.device is None:
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a card that torch can use, and there is none")
    options.ways = [name.strip() for name in (options.ways or ",".join(WAYS)).split(",")]
    unknown = [name for name in options.ways if name not in WAYS]
    if unknown:
        parser.error(f"--ways must be of {', '.join(WAYS)}; got {', '.join(unknown)}")
    options.side = SIDES[options.device] if options.side is None else options.side
    options.seconds = SECONDS[options.device] if options.seconds is None else options.seconds
    if options.side < MULTIPLE or options.side % MULTIPLE:
        parser.error(f"--side must be a multiple of {MULTIPLE}, got {options.side}")
    if not options.seconds > 0:
        parser.error(f"--seconds must be over 0, got {options.seconds:g}")
    for name in ("workers", "rounds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    command = shlex.join(["python", "-m", "benchmarks.training", *given])
    task = made_task(options.side, options.workers, PRESETS[options.preset], options.device)
    torch.set_num_threads(1)  # as nnU-Net does
    volaug.warmup(["float32", "int16"])
    trainer = Trainer(task)
    rows = measured(task, trainer, options)
    known = report.facts(task, trainer.title, command)
    print(report.table(rows, options.markdown))
    print()
    print(report.caption(known))
    if options.json:
        content = {**known, "rows": [row.to_dict() for row in rows]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0


def measured(task: Task, trainer: Trainer, options: argparse.Namespace) -> list[report.Row]:
    """Return the rows: the limit, and each way, in turn, for some rounds.

    The limit is measured again before each way, as the speed of a machine changes.
    """
    with WAYS["stream"].opened(task) as batches:
        fixed = trainer.moved(next(batches))
    speeds: dict[str, list[Speed]] = {}
    limits: dict[str, list[Speed]] = {}
    available = [name for name in options.ways if WAYS[name].is_available]
    for _, name in itertools.product(range(options.rounds), available):
        way = WAYS[name]
        print(f"{way.title} ...", file=sys.stderr, flush=True)
        limit = speed_of(trainer, itertools.repeat(fixed), 0, options.seconds / 2)
        limits.setdefault(name, []).append(limit)
        with way.opened(task) as batches:
            speed = speed_of(trainer, batches, way.ahead(task), options.seconds)
        speeds.setdefault(name, []).append(speed)
    every = tuple(limit for found in limits.values() for limit in found)
    rows = [report.Row(report.LIMIT, 0, every, every)] if every else []
    return rows + [
        report.Row(WAYS[name].title, options.workers, tuple(speeds[name]), tuple(limits[name]))
        for name in available
    ]


if __name__ == "__main__":
    sys.exit(main())
