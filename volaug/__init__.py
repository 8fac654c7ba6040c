"""Fast, exact augmentation of large 3D volumes on the CPU."""

from .compilation import warmup
from .engine.prefilter import spline_filter
from .resample import affine_transform, elastic_deform
from .threads import get_num_threads, set_num_threads
from .warp import Warp

__version__ = "0.1.0"

__all__ = [
    "Warp",
    "__version__",
    "affine_transform",
    "elastic_deform",
    "get_num_threads",
    "set_num_threads",
    "spline_filter",
    "warmup",
]
