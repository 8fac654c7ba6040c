"""nnU-Net's transforms, in batchgeneratorsv2: of labels alone, of random samples, of values."""

import importlib.metadata
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...problem import DEGREES, SCALE, Array
from .. import changes
from ..case import Case
from ..contender import FEW, MANY, SOME, Contender, Engine, afresh, needs
from ..problems import Change, Sample
from .by_torch import grid

MANY_CLASSES = 100  # 300 take 15 s a call

# Its displacement is noise that a Gaussian has smoothed: about as smooth as volaug's B-spline, and
# of the same standard deviation. How long it takes depends on neither.
SMOOTHNESS = (0.1, 0.2)  # of the side
MAGNITUDE = (0.03, 0.04)


@needs("batchgeneratorsv2")
def label(case: Case) -> Iterator[Contender]:
    """Yield what its transform does to a segmentation, in nnU-Net's setting.

    That is ``mode_seg="bilinear"``; the other settings are its defaults. The coordinates, which
    it computes for image and labels together, are made outside of the clock.
    """
    import torch
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    torch.set_num_threads(case.threads)
    transform = SpatialTransform(
        patch_size=case.volume.shape,
        patch_center_dist_from_border=0,
        random_crop=False,
        mode_seg="bilinear",
    )
    segmentation = torch.from_numpy(case.volume)[None]
    read = grid(case, align_corners=transform.align_corners)[0]

    def run() -> Any:
        return transform._apply_to_segmentation(segmentation, grid=read)[0]

    yield Contender(
        "batchgeneratorsv2 (grid given)",
        importlib.metadata.version("batchgeneratorsv2"),
        case.threads,
        FEW if case.volume.max() > MANY_CLASSES else SOME,
        run,
    )


@needs("batchgeneratorsv2")
def sample(problem: Sample) -> Iterator[Contender]:
    """Yield the transform with elastic on, which has no shear: in nnU-Net's setting and nearest."""
    import torch
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    torch.set_num_threads(problem.threads)
    mirror = MirrorTransform(allowed_axes=(0, 1, 2))
    radians, (low, high) = math.radians(DEGREES), SCALE
    image, segmentation = (torch.from_numpy(each)[None] for each in (problem.image, problem.label))
    for engine, mode in (
        ("batchgeneratorsv2 SpatialTransform", "bilinear"),
        ("batchgeneratorsv2, nearest labels", "nearest"),
    ):
        transform = SpatialTransform(
            patch_size=problem.image.shape,
            patch_center_dist_from_border=0,
            random_crop=False,
            p_elastic_deform=1.0,
            elastic_deform_scale=SMOOTHNESS,
            elastic_deform_magnitude=tuple(part * problem.side for part in MAGNITUDE),
            p_rotation=1.0,
            rotation=(-radians, radians),
            p_scaling=1.0,
            scaling=(1 / high, 1 / low),  # of what is read
            mode_seg=mode,
        )

        # so that what is compared is the same each time
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - the one that it draws from

        def run(transform: Any = transform) -> Any:
            with torch.inference_mode():
                return transform(**mirror(image=image, segmentation=segmentation))

        yield Contender(
            engine,
            importlib.metadata.version("batchgeneratorsv2"),
            problem.threads,
            SOME,
            run,
            lambda result: (np.concatenate([result["image"], result["segmentation"]]),),
        )


def change(make: Callable[[], Any]) -> Engine:
    """Return an engine that changes an image in place, by a transform of given numbers."""

    @needs("batchgeneratorsv2")
    def engine(problem: Change) -> Iterator[Contender]:
        import torch

        torch.set_num_threads(problem.threads)
        transform = make()

        def work(volume: Array) -> Any:
            with torch.inference_mode():
                return transform(image=torch.from_numpy(volume)[None])["image"][0]

        run, clock = afresh(problem.volume, work)
        version = importlib.metadata.version("batchgeneratorsv2")
        yield Contender("batchgeneratorsv2", version, problem.threads, MANY, run, clock=clock)

    return engine


def brightness() -> Any:
    """Return the transform that multiplies."""
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform

    return MultiplicativeBrightnessTransform(changes.FACTOR, synchronize_channels=False)


def contrast() -> Any:
    """Return the transform that multiplies differences from the mean."""
    from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform

    return ContrastTransform(changes.FACTOR, preserve_range=True, synchronize_channels=False)


def gamma() -> Any:
    """Return the transform that takes powers, and brings back mean and standard deviation."""
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform

    return GammaTransform(changes.EXPONENT, 0, False, 1, 1)


def blur() -> Any:
    """Return the Gaussian blur, by convolution."""
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform

    return GaussianBlurTransform(changes.SIGMA, synchronize_axes=True)


def low_resolution() -> Any:
    """Return the transform that drops voxels and interpolates them."""
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform

    return SimulateLowResolutionTransform(changes.SCALE, False, True, None)
