"""Nothing beside a volume is read, nor beside an out written: pages there end the process."""

import os
import subprocess
import sys

import pytest

from volaug.checks import INTERPOLATIONS

CODE = """
import ctypes, faulthandler, itertools, math, mmap, sys
import numpy as np
from support.volumes import random_volume
from volaug import Warp
from volaug.warping.engine.borders import MODES

faulthandler.enable()
interpolation = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
kept = []


def guarded(shape, dtype, at_end):
    '''An array that begins, or ends, at a page that must not be touched.'''
    size = math.prod(shape) * np.dtype(dtype).itemsize
    inner = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, inner + 2 * mmap.PAGESIZE)
    kept.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (address, address + mmap.PAGESIZE + inner):
        if libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, 0):
            sys.exit("pages cannot be guarded")
    start = mmap.PAGESIZE + (inner - size if at_end else 0)
    return np.frombuffer(memory, dtype, math.prod(shape), start).reshape(shape)


rng = np.random.default_rng(0)
both = interpolation in ("nearest", "linear")  # one kernel a size is enough of the others
dtypes = ("uint8", "float32") if both else ("uint8",)
shapes = ((1, 1, 1), (2, 3, 1), (1, 5, 9), (5, 6, 16), (3, 4, 25))
for shape, at_end, dtype in itertools.product(shapes, (False, True), dtypes):
    volume = guarded(shape, dtype, at_end)
    volume[...] = random_volume(shape, dtype)
    views = volume, volume.T, volume[::-1, :, ::-1]
    for view in views:
        target = (*view.shape[:2], view.shape[2] + 9)
        out = guarded(target, dtype, at_end)
        matrix = np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))
        points = rng.normal(0, 1.5, (3, 4, 5, 6))
        for mode in MODES:
            options = dict(interpolation=interpolation, mode=mode, cval=1)
            for corner in (0, np.subtract(view.shape, 1)):  # rows that stay on one voxel
                Warp(target, np.eye(3) * 1e-12, corner).apply(view, out=out, **options)
            for scale in (0.4, 0.9, -0.6, 1.7):  # maps along the axes, by windows of 8 and 16
                corner = np.subtract(view.shape, 1) if scale < 0 else -0.25
                Warp(target, np.eye(3) * scale, corner).apply(view, out=out, **options)
            for shift in (0.0, -0.5, 0.5, -1.25):
                Warp(target, np.eye(3), shift).apply(view, out=out, **options)
                Warp(target, matrix, shift).apply(view, out=out, **options)
                Warp(target, np.eye(3), shift, points).apply(view, out=out, **options)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded by Linux's mprotect")
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_neighboring_pages_are_not_touched(interpolation):
    command = [sys.executable, "-c", CODE, interpolation]
    paths = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths)
    assert done.returncode == 0, done.stderr
