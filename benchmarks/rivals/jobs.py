"""What is compared: to compare more, add a line.

A volume or a matrix is given by a function of the side of the cube. The first row that the
engines yield is what the others are times of.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from volaug.transforms.bias_field import BiasField
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.histogram_shift import HistogramShift
from volaug.transforms.low_resolution import LowResolution
from volaug.transforms.noise import Noise
from volaug.transforms.per_channel import IntensityOperation

from ..brain import brain, labels
from ..problem import SEED, Floats, Volume, flip_matrix, shift_matrix
from . import changes
from .contender import Contender, Engine
from .engines import (
    by_adapters,
    by_affine_rs,
    by_albumentations,
    by_ants,
    by_batchgenerators,
    by_dali,
    by_dataloader,
    by_dipy,
    by_monai,
    by_nnunet,
    by_numpy,
    by_scipy,
    by_simpleitk,
    by_skimage,
    by_torch,
    by_torchio,
    by_torchtransform,
    by_volaug,
    by_volresample,
)
from .makers import (
    channels,
    cubes,
    determinant,
    image_and_label,
    int16,
    loading,
    patch,
    patches,
    resizing,
    sample,
    training,
    uint8,
    warp,
)
from .problems import Change, Prefilter, Problem


class Job(NamedTuple):
    """A problem, made from a side and a number of threads, and who computes it."""

    problem: Callable[[int, int], Problem]
    engines: tuple[Engine, ...]
    statistic: str | None = None  # what of the calls stands for all, if the user is not to say

    def contenders(self, problem: Problem) -> Iterator[Contender]:
        """Yield the rows of the job."""
        for engine in self.engines:
            yield from engine(problem)


def step(
    operation: IntensityOperation,
    *rivals: Engine,
    expected: Callable[[Volume], Floats] | None = None,
) -> Job:
    """Return a change of the values of the brain, in half of each side and one thread."""

    def problem(side: int, threads: int) -> Change:
        volume = brain(side // 2)
        return Change(volume, None if expected is None else expected(volume), 1)

    return Job(problem, (by_volaug.change(operation), by_numpy.copy_afresh, *rivals))


FIELD = np.random.default_rng(SEED).uniform(-0.2, 0.2, (4, 4, 4))
CURVE = (0.0, 0.15, 0.45, 0.55, 0.85, 1.0)

ALL = (
    by_volaug.warp,
    by_numpy.copy,
    by_affine_rs.warp,
    by_scipy.warp,
    by_simpleitk.warp,
    by_torch.warp,
    by_albumentations.warp,
    by_torchtransform.warp,
    by_dipy.warp,
    by_ants.warp,
    by_dali.warp,
)
RESIZED = by_volaug.resize, by_volresample.resize, by_scipy.resize, by_skimage.resize
ALL_RESIZED = *RESIZED, by_torch.resize
WITH_FIELD = (
    by_volaug.warp,
    by_scipy.warp,
    by_simpleitk.warp,
    by_torch.warp,
    by_albumentations.warp,
    by_dipy.warp,
    by_ants.warp,
)
ANY_DTYPE = by_volaug.warp, by_scipy.warp, by_simpleitk.warp
LABELS = by_volaug.warp, by_simpleitk.warp, by_ants.warp
PATCH = by_volaug.warp, by_batchgenerators.label
COPIES = by_volaug.warp, by_numpy.copy
ADAPTERS = by_adapters.torch, by_adapters.monai, by_adapters.torchio, by_adapters.nnunet
SAMPLERS = (
    by_volaug.sample,
    by_torchtransform.sample,
    by_albumentations.sample,
    by_monai.sample,
    by_torchio.sample,
    by_batchgenerators.sample,
)

JOBS = {
    "affine": Job(warp(brain), ALL),
    "elastic + affine": Job(warp(brain, elastic=True), WITH_FIELD),
    "nearest uint8": Job(warp(labels, "nearest"), (*ANY_DTYPE, by_dipy.warp, by_ants.warp)),
    "linear uint8": Job(
        warp(uint8),
        (
            by_volaug.warp,
            by_volaug.warp_float32,
            by_affine_rs.warp,
            by_scipy.warp,
            by_simpleitk.warp,
            by_albumentations.warp,
            by_torchtransform.warp,
            by_ants.warp,
            by_dali.warp,
        ),
    ),
    "linear int16": Job(warp(int16), ANY_DTYPE),
    "cubic": Job(warp(brain, "cubic"), (*ANY_DTYPE, by_ants.warp)),
    "enlarge": Job(resizing(brain, 2.0, "linear"), ALL_RESIZED),
    "enlarge by 1.48": Job(resizing(brain, 237 / 160, "linear"), ALL_RESIZED),
    "shrink": Job(resizing(brain, 0.75, "linear"), ALL_RESIZED),
    "enlarge nearest": Job(resizing(brain, 2.0, "nearest"), ALL_RESIZED),
    "shrink nearest": Job(resizing(brain, 0.75, "nearest"), ALL_RESIZED),
    "enlarge nearest uint8": Job(resizing(labels, 2.0, "nearest"), RESIZED),
    "shrink cubic": Job(resizing(brain, 200 / 256, "cubic"), RESIZED),
    "prefilter": Job(
        lambda side, threads: Prefilter(brain(side), threads),
        (by_volaug.prefilter, by_scipy.prefilter),
    ),
    "label": Job(warp(labels, "label"), LABELS),
    "patch 4 classes": Job(patch(4), PATCH),
    "patch 40 classes": Job(patch(40), PATCH),
    "patch 300 classes": Job(patch(300), PATCH),
    "flip float32": Job(warp(brain, matrix=flip_matrix), COPIES),
    "flip uint8": Job(warp(uint8, matrix=flip_matrix), COPIES),
    "shift float32": Job(warp(brain, matrix=shift_matrix), COPIES),
    "shift uint8": Job(warp(uint8, matrix=shift_matrix), COPIES),
    "image + label": Job(image_and_label(elastic=False), (by_volaug.image_and_label,)),
    "image + label elastic": Job(image_and_label(elastic=True), (by_volaug.image_and_label,)),
    "4 channels": Job(channels, (by_volaug.channels,)),
    "min jacobian": Job(determinant, (by_volaug.min_jacobian_determinant,)),
    "pipeline": Job(sample, SAMPLERS, "mean"),
    "overhead": Job(sample, (by_volaug.overhead,), "median"),
    "crop": Job(patches(elastic=True), (by_volaug.patches,), "median"),
    "crop affine": Job(patches(elastic=False), (by_volaug.patches,), "median"),
    "brightness": step(
        Brightness(changes.FACTOR),
        by_batchgenerators.change(by_batchgenerators.brightness),
        expected=changes.brightness,
    ),
    "contrast": step(
        Contrast(changes.FACTOR),
        by_batchgenerators.change(by_batchgenerators.contrast),
        expected=changes.contrast,
    ),
    "gamma": step(
        Gamma(changes.EXPONENT),
        by_batchgenerators.change(by_batchgenerators.gamma),
        expected=changes.gamma,
    ),
    "histogram shift": step(HistogramShift(CURVE), by_monai.histogram_shift),
    "noise": step(Noise(changes.DEVIATION, "gaussian", False, 1), by_numpy.noise),
    "blur": step(
        Blur((changes.SIGMA,) * 3, changes.TRUNCATE),
        by_scipy.blur,
        by_batchgenerators.change(by_batchgenerators.blur),
        expected=changes.blur,
    ),
    "low resolution": step(
        LowResolution((changes.SCALE,) * 3),
        by_batchgenerators.change(by_batchgenerators.low_resolution),
        expected=changes.low_resolution,
    ),
    "bias field": step(BiasField(FIELD), by_torchio.bias_field),
    "loader": Job(loading, (by_volaug.stream, by_nnunet.loader), "median"),
    "adapters": Job(sample, (by_volaug.sample, *ADAPTERS), "median"),
    "dataloader": Job(
        cubes, (by_dataloader.volaug, by_dataloader.monai, by_dataloader.torchio), "median"
    ),
    "nnU-Net": Job(training, (by_volaug.training, by_nnunet.training), "mean"),
}
