"""Steps as users write them, and a way to write wrong ones."""

import numpy as np
from scipy import ndimage

import volaug

SHAPE = (19, 22, 27)


@volaug.register
class Squeeze(volaug.SpatialTransform):
    factor: float = 0.8

    def get_parameters(self, grid, stream):
        return {"factor": stream.uniform(self.factor, 1.0)}

    @staticmethod
    def matrix(grid, factor):
        return np.array([[factor, 0.1, 0.0, 2.0], [0, 1, 0, -1.0], [0, 0.05, 1, 0], [0, 0, 0, 1]])


@volaug.register
class Swirl(volaug.SpatialTransform):
    strength: float = 0.6

    def get_parameters(self, grid, stream):
        return {"angle": stream.uniform(0.5, 1.0) * self.strength}

    @staticmethod
    def points_to_input(points, grid, angle):
        away = points - grid.center
        turn = angle * np.exp(-(away[:, 1] ** 2 + away[:, 2] ** 2) / (0.4 * grid.shape[1]) ** 2)
        result = away.copy()
        result[:, 1] = np.cos(turn) * away[:, 1] - np.sin(turn) * away[:, 2]
        result[:, 2] = np.sin(turn) * away[:, 1] + np.cos(turn) * away[:, 2]
        return result + grid.center


@volaug.register
class Zoom(volaug.SpatialTransform):
    factor: float = 0.7

    def get_parameters(self, grid, stream):
        return {"factor": self.factor}

    @staticmethod
    def points_to_input(points, grid, factor):
        return grid.center + (points - grid.center) * factor


@volaug.register
class Tint(volaug.IntensityTransform):
    high: float = 0.5

    def get_parameters(self, grid, stream):
        return {"amount": stream.uniform(0.1, self.high), "seed": stream.whole(0, 2**31)}

    @staticmethod
    def change(voxels, amount, seed):
        voxels += amount * np.random.default_rng(seed).random(voxels.shape).astype(voxels.dtype)


@volaug.register
class Sharpen(volaug.IntensityTransform):
    dtype = "float32"

    def get_parameters(self, grid, stream):
        return {}

    @staticmethod
    def change(voxels, threads):
        assert threads >= 1
        return 2 * voxels - ndimage.gaussian_filter(voxels, 1.0)


def define(base=volaug.IntensityTransform, **members):
    """A class of this name alone, as a user would write it; registered by the caller."""
    usual = {
        "get_parameters": lambda self, grid, stream: {},
        "change": staticmethod(lambda voxels: None),
    }
    return type("Own", (base,), usual | members)


# Arguments of `define` for a spatial step, to which its map is added, such as STATIC.
SPATIAL = {"base": volaug.SpatialTransform, "change": None}
STATIC = {"matrix": staticmethod(lambda grid: np.eye(3))}
