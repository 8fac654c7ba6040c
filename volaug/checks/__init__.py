"""Checks of arguments: one error says what was expected and what was given."""

from .arguments import (
    as_seed as as_seed,
    as_shape as as_shape,
    as_whole as as_whole,
    by_name as by_name,
    check_choice as check_choice,
    check_flag as check_flag,
    refuse_positions as refuse_positions,
)
from .arrays import (
    DTYPES as DTYPES,
    INTERPOLATIONS as INTERPOLATIONS,
    Interpolation as Interpolation,
    as_array as as_array,
    as_fills as as_fills,
    as_floats as as_floats,
    as_volume as as_volume,
    refuse_masked as refuse_masked,
    refuse_what_is_no_array as refuse_what_is_no_array,
    warn_of_first_channels as warn_of_first_channels,
    warn_of_last_channels as warn_of_last_channels,
)
from .geometry import (
    as_affine as as_affine,
    as_boxes as as_boxes,
    as_control_points as as_control_points,
    as_points as as_points,
    as_spacing as as_spacing,
    as_voxel_size as as_voxel_size,
    as_world as as_world,
    is_invertible as is_invertible,
)
from .outputs import (
    as_output as as_output,
    check_apart as check_apart,
    check_memory as check_memory,
    memory_of as memory_of,
)
