"""A step of a user, as small as it can be."""

import numpy as np

import volaug


def define(base=volaug.IntensityTransform, **members):
    """Return a class of the name Own, as a user would write it; the caller registers it."""
    usual = {
        "get_parameters": lambda self, grid, stream: {},
        "change": staticmethod(lambda voxels: None),
    }
    return type("Own", (base,), usual | members)


SPATIAL = {"base": volaug.SpatialTransform, "change": None}
STATIC = {"matrix": staticmethod(lambda grid: np.eye(3))}
