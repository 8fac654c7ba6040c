"""Fast, exact augmentation of large 3D volumes on the CPU."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The public names by the module that has them; those of the steps are in their registry. A module
# is imported when one of its names is used (PEP 562): `volaug --help` need not wait for Numba.
_HOMES = {
    "compilation.warmup": ("warmup",),
    "data.cases": ("CaseError",),
    "data.stream": ("Stream",),
    "pipeline.averaging": ("average_predictions",),
    "pipeline.compose": ("Compose",),
    "pipeline.record": ("Record", "Sample"),
    "plotting.plot": ("plot",),
    "transforms.own": ("IntensityTransform", "SpatialTransform", "register"),
    "threads.limits": ("get_num_threads", "set_num_threads"),
    "warping.engine.prefilter": ("spline_filter",),
    "warping.resample": ("affine_transform", "elastic_deform"),
    "warping.resizing": ("resample",),
    "warping.warp": ("Warp",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:  # the same, for editors and type checkers
    from . import presets as presets
    from .compilation.warmup import warmup as warmup
    from .data.cases import CaseError as CaseError
    from .data.stream import Stream as Stream
    from .pipeline.averaging import average_predictions as average_predictions
    from .pipeline.compose import Compose as Compose
    from .pipeline.record import Record as Record, Sample as Sample
    from .plotting.plot import plot as plot
    from .threads.limits import (
        get_num_threads as get_num_threads,
        set_num_threads as set_num_threads,
    )
    from .transforms.own import (
        IntensityTransform as IntensityTransform,
        SpatialTransform as SpatialTransform,
        register as register,
    )
    from .transforms.registry import *  # noqa: F403
    from .warping.engine.prefilter import spline_filter as spline_filter
    from .warping.resample import (
        affine_transform as affine_transform,
        elastic_deform as elastic_deform,
    )
    from .warping.resizing import resample as resample
    from .warping.warp import Warp as Warp


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name == "presets":
        return importlib.import_module(".presets", __name__)
    if name in _HOME:
        found = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    # The import system asks for submodules too, such as `checks`, which no step is called like.
    elif not name[:1].isupper() or name not in _steps():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    else:
        found = _steps()[name]
    globals()[name] = found  # the next time it is found at once
    return found


def __dir__() -> list[str]:
    return sorted([*_HOME, *_steps(), "__version__", "presets"])


def _steps() -> dict[str, Any]:
    steps: dict[str, Any] = importlib.import_module(".transforms.registry", __name__).TRANSFORMS
    return steps
