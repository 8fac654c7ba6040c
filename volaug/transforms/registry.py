"""Every step that there is, with what it draws: one line each.

Pipelines are read, records are replayed, kernels are warmed up, and volaug's public names are made
from this list alone.
"""

from collections.abc import Mapping
from typing import Any

from ..serialization import MAX_NESTING, as_table, from_plain
from .affine import Affine as Affine, RandomAffine as RandomAffine
from .base import Transform
from .bias_field import BiasField as BiasField, RandomBiasField as RandomBiasField
from .blur import Blur as Blur, RandomBlur as RandomBlur
from .brightness import Brightness as Brightness, RandomBrightness as RandomBrightness
from .contrast import Contrast as Contrast, RandomContrast as RandomContrast
from .crop import CenterCrop as CenterCrop, Crop as Crop, RandomCrop as RandomCrop
from .cube_symmetry import (
    CubeSymmetry as CubeSymmetry,
    RandomCubeSymmetry as RandomCubeSymmetry,
)
from .elastic import Elastic as Elastic, RandomElastic as RandomElastic
from .flip import Flip as Flip, RandomFlip as RandomFlip
from .gamma import Gamma as Gamma, RandomGamma as RandomGamma
from .group import OneOf as OneOf
from .histogram_shift import (
    HistogramShift as HistogramShift,
    RandomHistogramShift as RandomHistogramShift,
)
from .label_pyramid import LabelPyramid as LabelPyramid, Pyramid as Pyramid
from .low_resolution import (
    LowResolution as LowResolution,
    RandomLowResolution as RandomLowResolution,
)
from .mask_image import Mask as Mask, MaskImage as MaskImage
from .noise import Noise as Noise, RandomNoise as RandomNoise
from .normalize import Normalize as Normalize, RangeMapping as RangeMapping, ZScores as ZScores
from .operation import Operation, SpatialOperation, ValueOperation
from .own_operations import OwnChange as OwnChange, OwnWarp as OwnWarp
from .remap_labels import RemapLabels as RemapLabels, Remapping as Remapping
from .rotation import RandomRotation as RandomRotation
from .scaling import RandomScaling as RandomScaling
from .shear import RandomShear as RandomShear
from .translation import RandomTranslation as RandomTranslation


def _classes(*bases: type) -> dict[str, type]:
    """The classes listed above that are no bases themselves, by name."""
    found = [item for item in globals().values() if isinstance(item, type)]
    known = {c.__name__: c for c in found if issubclass(c, bases) and c not in bases}
    return dict(sorted(known.items()))


# What a user picks, and what it draws, by the names in files and records.
TRANSFORMS: dict[str, type[Transform]] = _classes(Transform)
OPERATIONS: dict[str, type[Operation]] = _classes(SpatialOperation, ValueOperation)


def transform_from(
    values: Any, kinds: Mapping[str, type[Transform]], what: str, levels: int = MAX_NESTING
) -> Any:
    """The transform that plain values say, with those within it, of known kinds by name."""
    values = as_table(what, values)
    inner = values.get("transforms")
    if isinstance(inner, list):
        if levels == 0:
            raise ValueError(f"groups of transforms must be nested at most {MAX_NESTING} deep")
        made = [
            transform_from(item, kinds, f"transform {number} of {what}", levels - 1)
            for number, item in enumerate(inner)
        ]
        values = {**values, "transforms": made}
    return from_plain(values, kinds, what, "import the module of a step of your own before")
