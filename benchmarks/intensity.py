"""Time of each intensity step, in place."""

import numpy as np

from volaug.transforms.bias_field import BiasField
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.histogram_shift import HistogramShift
from volaug.transforms.low_resolution import LowResolution
from volaug.transforms.noise import Noise
from volaug.transforms.per_channel import ChannelId, IntensityOperation

from .operations import THREADS, _Operation
from .problem import Array, head

CHANNEL = ChannelId("image", 0)


class _Change(_Operation):
    """A change of the values of the made-up head, again and again."""

    change: IntensityOperation

    def prepare(self, side: int) -> Array:
        self.image = head(side).copy()
        return self.image

    def call(self) -> None:
        self.change.change(self.image, CHANNEL, THREADS)


class ChangeContrast(_Change):
    """`RandomContrast`: with the mean and the range."""

    change = Contrast(1.0)


class ChangeBrightness(_Change):
    """`RandomBrightness`, multiplicative."""

    change = Brightness(1.0)


class ChangeGamma(_Change):
    """`RandomGamma`, retaining mean and standard deviation."""

    change = Gamma(1.0)


class AddNoise(_Change):
    """`RandomNoise`, Gaussian, of a deviation that is given."""

    change = Noise(1e-6, "gaussian", relative=False, key=1)


class AddRicianNoise(_Change):
    """`RandomNoise`, Rician, of a deviation that is given."""

    change = Noise(1e-6, "rician", relative=False, key=1)


class GaussianBlur(_Change):
    """`RandomBlur`, of 0.75 voxels along each axis."""

    change = Blur((0.75, 0.75, 0.75))


class ShiftHistogram(_Change):
    """`RandomHistogramShift`, of six control points."""

    change = HistogramShift((0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


class LowerResolution(_Change):
    """`RandomLowResolution`, of three quarters of the voxels along each axis."""

    change = LowResolution((0.75, 0.75, 0.75))


class MultiplyBiasField(_Change):
    """`RandomBiasField`, of four control points along each axis."""

    change = BiasField(np.zeros((4, 4, 4)))
