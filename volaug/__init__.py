"""Fast, exact augmentation of large 3D volumes on the CPU."""

from . import presets
from .compilation import warmup
from .data.cases import CaseError
from .data.stream import Stream
from .pipeline.compose import Compose
from .pipeline.record import Record, Sample
from .threads.limits import get_num_threads, set_num_threads
from .transforms.artefacts import RandomBiasField, RandomBlur, RandomLowResolution, RandomNoise
from .transforms.crop import CenterCrop, RandomCrop
from .transforms.group import OneOf
from .transforms.intensity import (
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHistogramShift,
)
from .transforms.labels import LabelPyramid, MaskImage, ReplaceLabel
from .transforms.spatial import (
    RandomAffine,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)
from .warping.engine.prefilter import spline_filter
from .warping.resample import affine_transform, elastic_deform
from .warping.warp import Warp

__version__ = "0.1.0"

__all__ = [
    "CaseError",
    "CenterCrop",
    "Compose",
    "LabelPyramid",
    "MaskImage",
    "OneOf",
    "RandomAffine",
    "RandomBiasField",
    "RandomBlur",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomElastic",
    "RandomFlip",
    "RandomGamma",
    "RandomHistogramShift",
    "RandomLowResolution",
    "RandomNoise",
    "RandomRotation",
    "RandomScaling",
    "RandomShear",
    "RandomTranslation",
    "Record",
    "ReplaceLabel",
    "Sample",
    "Stream",
    "Warp",
    "__version__",
    "affine_transform",
    "elastic_deform",
    "get_num_threads",
    "presets",
    "set_num_threads",
    "spline_filter",
    "warmup",
]
