"""Compile the kernels of the demo, in several processes if the cache has none."""

import itertools
import pickle
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import Compose
from ...compilation.processes import report_done, run_in_parts
from ...kernels.jit.cache import count_kept
from .strategies import INDEX

# Voxels along each axis of the small brain that the kernels are compiled with, and their size in
# mm, so large that displacements, which are in mm, do not fold it.
CUBE, SPACING = 40, 8.0

COMPILE_PART = """
import pickle
from volaug.cli.demo.compiling import compile_part
compile_part(pickle.load(sys.stdin.buffer)[part[0] :: part[1]])
"""

Groups = Sequence[Sequence[Compose]]


def compile_kernels(groups: Groups, processes: int, advance: Callable[[], None]) -> None:
    """Compile the kernels that pipelines need, or load them.

    If the cache lacks what the first pipeline needs, and keeps it, several processes compile.

    Parameters
    ----------
    groups : lists of pipelines
        One process compiles a group: groups should have few kernels in common. The first pipeline
        of all should need little.
    processes : int
        Maximum number of processes.
    advance : callable
        Called when the kernels of a pipeline are compiled or loaded.
    """
    kept, count = count_kept(), min(processes, len(groups))
    augment_small(groups[0][0])
    by_others = count > 1 and count_kept() > kept
    if by_others:
        run_in_parts(COMPILE_PART, count, advance, data=pickle.dumps(groups))
    for pipeline in itertools.chain(*groups):
        augment_small(pipeline)
        if not by_others:
            advance()


def compile_part(groups: Groups) -> None:
    """Compile the kernels of some groups; the parent warns, if there is something to warn of."""
    warnings.simplefilter("ignore")
    for pipeline in itertools.chain(*groups):
        augment_small(pipeline)
        report_done()


def augment_small(pipeline: Compose) -> None:
    """Augment a small brain, which needs the same kernels as a large one."""
    image = np.zeros((CUBE,) * 3, np.float32)
    image[0] = 1.0  # of one value there would be nothing to change
    labels, points = image.astype(np.uint8), np.zeros((1, 3))
    targets: dict[str, Any] = {"image": image, "label": labels, "points": points}
    pipeline(**targets, affine=np.diag((*[SPACING] * 3, 1.0)), index=INDEX, threads=1)
