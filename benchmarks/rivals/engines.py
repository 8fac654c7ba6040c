"""Each engine in its best setting, on the same case.

What an engine can prepare once for many volumes is made here, outside of the clock: images,
matrices, lattices. What it computes for one warp is in `run`.
"""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from scipy import ndimage

import volaug

from ..problem import Floats, Volume
from .case import Case


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    engine: str
    version: str
    threads: int
    repeats: int
    run: Callable[[], Any]
    picture: Callable[[Any], npt.NDArray[Any]] | None = np.asarray  # None: `run` warps nothing


def contenders(case: Case) -> Iterator[Contender]:
    """Yield every engine that is installed and can do the case; volaug is the first."""
    yield from volaug_engines(case)
    yield from copies(case)
    yield from scipy_engines(case)
    if importlib.util.find_spec("SimpleITK"):
        yield from simpleitk_engines(case)
    if importlib.util.find_spec("torch"):
        yield from torch_engines(case)


def touched_like(volume: Volume) -> Volume:
    """Return an array of NaN, whose pages all exist before the clock starts."""
    return np.full_like(volume, np.nan)


def volaug_engines(case: Case) -> Iterator[Contender]:
    """Yield volaug into an array that exists, and into a new one, as SimpleITK and torch do."""

    def contender(engine: str, threads: int, out: npt.NDArray[Any] | None) -> Contender:
        def run() -> npt.NDArray[Any]:
            if case.control_points is None:
                return volaug.affine_transform(case.volume, case.matrix, out=out, threads=threads)
            return volaug.elastic_deform(
                case.volume, case.control_points, matrix=case.matrix, out=out, threads=threads
            )

        return Contender(engine, volaug.__version__, threads, 20, run)

    yield contender("volaug", case.threads, touched_like(case.volume))
    yield contender("volaug, new array", case.threads, None)
    if case.threads > 1:
        yield contender("volaug", 1, touched_like(case.volume))


def copies(case: Case) -> Iterator[Contender]:
    """Yield a plain copy of the volume: what no warp that reads and writes it can undercut."""
    if case.control_points is None:
        out = touched_like(case.volume)

        def run() -> None:
            np.copyto(out, case.volume)

        yield Contender("np.copyto (no warp)", np.__version__, 1, 20, run, picture=None)


def scipy_engines(case: Case) -> Iterator[Contender]:
    """Yield scipy.ndimage, whose C code has one thread but lets go of the GIL: slabs in a pool.

    It has no function for a B-spline field. The weights of the control points are made outside
    of the clock, the field and the coordinates inside of it, in float32, which it reads faster.
    """
    out = touched_like(case.volume)

    def affine(slab: slice) -> None:
        ndimage.affine_transform(
            case.volume,
            case.matrix[:, :3],
            case.matrix[:, 3] + case.matrix[:, 0] * slab.start,
            output_shape=out[slab].shape,
            output=out[slab],
            order=1,
            prefilter=False,
        )

    def elastic(slab: slice) -> None:
        places = case.coordinates(slab, np.float32)
        ndimage.map_coordinates(case.volume, places, output=out[slab], order=1, prefilter=False)

    work, repeats = (affine, 5) if case.control_points is None else (elastic, 2)

    def in_slabs() -> npt.NDArray[Any]:
        case.in_slabs(work)
        return out

    def as_it_comes() -> npt.NDArray[Any]:
        work(slice(0, len(out)))
        return out

    yield Contender("scipy.ndimage", scipy.__version__, case.threads, repeats, in_slabs)
    if case.threads > 1:
        yield Contender("scipy.ndimage", scipy.__version__, 1, repeats, as_it_comes)


def simpleitk_engines(case: Case) -> Iterator[Contender]:
    """Yield SimpleITK's resampling filter through its own transforms. Its axes run backwards."""
    sitk = _simpleitk()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(case.threads)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(case.matrix[::-1, 2::-1].ravel().tolist())
    affine.SetTranslation(case.matrix[::-1, 3].tolist())
    transform = affine
    if case.control_points is not None:
        # of the transforms of a composite, the last is applied first
        spline = simpleitk_spline(case.control_points, case.volume.shape)
        transform = sitk.CompositeTransform([affine, spline])
    image = sitk.GetImageFromArray(case.volume)

    def run() -> Any:
        return sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0, sitk.sitkFloat32)

    repeats = 5 if case.control_points is None else 2
    yield Contender(
        "SimpleITK", sitk.__version__, case.threads, repeats, run, sitk.GetArrayViewFromImage
    )


def simpleitk_spline(control_points: Floats, shape: tuple[int, ...]) -> Any:
    """Return the B-spline transform whose control points lie where volaug's do.

    ITK's domain is that of the knot spans: as many as control points less three, from the
    first voxel to the last one.
    """
    sitk = _simpleitk()
    transform = sitk.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin((0.0, 0.0, 0.0))
    transform.SetTransformDomainDirection(np.eye(3).ravel().tolist())
    transform.SetTransformDomainPhysicalDimensions([n - 1.0 for n in reversed(shape)])
    transform.SetTransformDomainMeshSize([k - 3 for k in reversed(control_points.shape[1:])])
    transform.SetParameters(control_points[::-1].ravel().tolist())
    return transform


def _simpleitk() -> Any:
    import SimpleITK

    return SimpleITK


def torch_engines(case: Case) -> Iterator[Contender]:
    """Yield torch's ``affine_grid`` and ``grid_sample``, or the latter alone: it has no B-spline.

    Its coordinates run from -1 to 1 over the voxel centres, the axes backwards.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    torch.set_num_threads(case.threads)
    volume = torch.from_numpy(case.volume)[None, None]
    half = np.subtract(case.volume.shape, 1) / 2

    def picture(result: Any) -> npt.NDArray[Any]:
        return np.asarray(result[0, 0])

    if case.control_points is None:
        linear, offset = case.matrix[:, :3], case.matrix[:, 3]
        shift = (linear @ half + offset) / half - 1
        scaled = np.column_stack([linear * half / half[:, None], shift])[::-1, [2, 1, 0, 3]]
        theta = torch.from_numpy(scaled.astype(np.float32))[None]

        def run() -> Any:
            with torch.inference_mode():
                grid = affine_grid(theta, list(volume.shape), align_corners=True)
                return grid_sample(volume, grid, align_corners=True)

        yield Contender("torch", torch.__version__, case.threads, 5, run, picture)
        return

    places = case.coordinates(slice(None))
    places /= half.reshape(3, 1, 1, 1)
    places -= 1
    dense = torch.from_numpy(np.moveaxis(places[::-1], 0, -1).astype(np.float32))[None]

    def sample() -> Any:
        with torch.inference_mode():
            return grid_sample(volume, dense, align_corners=True)

    yield Contender("torch (grid given)", torch.__version__, case.threads, 5, sample, picture)
