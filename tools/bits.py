"""The bits of many results, to compare two machines: ``python -m tools.bits > here.txt``.

One line each: a name and a digest, as soon as it is computed, so that a slow machine can be stopped
at any time. ``python -m tools.bits here.txt there.txt`` compares two such files, and says which
results that both have are not the same.

Draws, geometry and warped voxels come in this order, each kind from few kernels to many.

Between x86-64 and aarch64, what NumPy computes by LAPACK differs in the last bit: inverses,
solutions and determinants of matrices. So do points that go through an inverse, and Jacobians.
"""

import hashlib
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

import volaug
from benchmarks.steps import all_steps
from volaug.warping.engine.borders import Mode

SHAPE = (12, 14, 19)  # rows of more than two blocks of eight voxels, and a remainder
PATCH = 10
KEYS = range(20)
ALL_INTERPOLATIONS = ("linear", "nearest", "cubic", "label")
DTYPES = {"linear": ("float32", "int16", "uint8"), "cubic": ("float32", "int16")}

Result = tuple[str, partial[Any]]


def volume(dtype: str, interpolation: str = "linear") -> Any:
    """Return voxels drawn at random, of whole numbers if they are labels."""
    rng = np.random.default_rng(5)
    if interpolation == "label":
        return rng.integers(0, 5, SHAPE).astype(dtype)
    greatest = 1.0 if dtype == "float32" else 200.0
    return (greatest * rng.random(SHAPE)).astype(dtype)


def warps() -> dict[str, volaug.Warp]:
    """Return one of each kind that the engine treats in another way."""
    rng = np.random.default_rng(6)
    matrix = np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))
    points = rng.normal(0.0, 0.7, (3, 5, 4, 6))
    return {
        "affine": volaug.Warp(SHAPE, matrix, (1.1, -2.3, 0.7)),
        "elastic": volaug.Warp(SHAPE, matrix, (1.1, -2.3, 0.7), points),
        "scaling": volaug.Warp(SHAPE, np.diag((0.8, 1.3, 0.9)), (0.4, -1.2, 0.3)),
        "shift": volaug.Warp(SHAPE, np.eye(3), (2.0, -1.0, 3.0)),
    }


def draws() -> Iterator[Result]:
    """Records of every step."""
    for name, step in all_steps(PATCH).items():
        pipeline = volaug.Compose([step], seed=7)
        for key in KEYS:
            yield f"draw {name} {key}", partial(drawn, pipeline, key)


def drawn(pipeline: volaug.Compose, key: int) -> str:
    """Return a record as text."""
    return pipeline.draw(SHAPE, index=key).to_json()


def sample(pipeline: volaug.Compose, key: int) -> list[Any]:
    """Return the image and the labels of a sample; of a pyramid, at each resolution."""
    made = pipeline(image=volume("float32"), label=volume("uint8", "label"), index=key)
    labels = made["label"]
    return [made["image"], *(labels if isinstance(labels, list | tuple) else [labels])]


def geometry() -> Iterator[Result]:
    """Points, Jacobians and inverses."""
    places = np.random.default_rng(8).uniform(0.0, 11.0, (50, 3))
    for name, warp in warps().items():
        yield f"points to input, {name}", partial(warp.points_to_input, places)
        yield f"points to output, {name}", partial(warp.points_to_output, places)
        yield f"minimum Jacobian, {name}", partial(warp.min_jacobian_determinant)
        yield f"Jacobian, {name}", partial(warp.jacobian_determinant)


def steps() -> Iterator[Result]:
    """Voxels that every step makes of an image and its labels."""
    for (name, step), key in itertools.product(all_steps(PATCH).items(), KEYS[:5]):
        yield f"step {name} {key}", partial(sample, volaug.Compose([step], seed=7), key)


def warped() -> Iterator[Result]:
    """Voxels of each warp by each sampler, border and dtype."""
    for interpolation in ALL_INTERPOLATIONS:
        for dtype in DTYPES.get(interpolation, ("uint8",)):
            voxels = volume(dtype, interpolation)
            for (name, warp), mode in itertools.product(warps().items(), get_args(Mode)):
                call = partial(warp.apply, voxels, interpolation=interpolation, mode=mode)  # type: ignore[arg-type]
                yield f"{name}, {interpolation}, {dtype}, {mode}", call


def digest(result: Any) -> str:
    """Return a digest of text, a number, an array or several arrays."""
    if isinstance(result, str):
        return hashlib.sha256(result.encode()).hexdigest()[:16]
    parts = result if isinstance(result, list) else [result]
    total = hashlib.sha256()
    for part in map(np.ascontiguousarray, parts):
        total.update(f"{part.dtype.str} {part.shape}".encode() + part.tobytes())
    return total.hexdigest()[:16]


def compare(first: Path, second: Path) -> int:
    """Print what differs between two files, and return 1 if something does."""
    one, other = (
        dict(json.loads(line) for line in path.read_text().splitlines()) for path in (first, second)
    )
    both = [name for name in one if name in other]
    different = [name for name in both if one[name] != other[name]]
    print(f"{len(both) - len(different)} of {len(both)} results have the same bits")
    for name in different:
        print(f"differs: {name}")
    return bool(different)


def main(arguments: Sequence[str]) -> int:
    """Print the digests, or compare two files of them."""
    if len(arguments) == 2:
        return compare(*map(Path, arguments))
    for name, result in itertools.chain(draws(), geometry(), steps(), warped()):
        print(json.dumps([name, digest(result())]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
