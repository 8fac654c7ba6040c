"""Time of each step that volaug has, on an image and its labels; and of each change in place."""

import numpy as np

import volaug
from volaug.transforms.base import Transform
from volaug.transforms.bias_field import BiasField
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.histogram_shift import HistogramShift
from volaug.transforms.low_resolution import LowResolution
from volaug.transforms.noise import Noise
from volaug.transforms.per_channel import ChannelId, IntensityOperation

from .measured import THREADS, _Operation
from .problem import DEEP_SUPERVISION, DEGREES, SCALE, SEED, SLOPE, Array, head, labels

SIDE = 128


def all_steps(patch: int) -> dict[str, Transform]:
    """Return each step, by the name of its class, such that each sample has it."""
    steps = (
        volaug.CenterCrop(patch),
        volaug.LabelPyramid(DEEP_SUPERVISION),
        volaug.MaskImage(value=-1.0),
        volaug.Normalize(),
        volaug.OneOf([volaug.RandomContrast(p=1.0), volaug.RandomGamma(p=1.0)]),
        volaug.RandomAffine(degrees=DEGREES, scale=SCALE, shear=SLOPE, translation=5.0, p=1.0),
        volaug.RandomBiasField(p=1.0),
        volaug.RandomBlur(p=1.0),
        volaug.RandomBrightness(p=1.0),
        volaug.RandomContrast(p=1.0),
        volaug.RandomCrop(patch),
        volaug.RandomCubeSymmetry(p=1.0),
        volaug.RandomElastic(p=1.0),
        volaug.RandomFlip(p=1.0),
        volaug.RandomGamma(p=1.0),
        volaug.RandomHistogramShift(p=1.0),
        volaug.RandomLowResolution(p=1.0),
        volaug.RandomNoise(p=1.0),
        volaug.RandomRotation(DEGREES, p=1.0),
        volaug.RandomScaling(SCALE, p=1.0),
        volaug.RandomShear(SLOPE, p=1.0),
        volaug.RandomTranslation(5.0, p=1.0),
        volaug.RemapLabels(2, new=1),
    )
    return {type(step).__name__: step for step in steps}


CHANGES: dict[str, IntensityOperation] = {
    "contrast": Contrast(1.0),
    "brightness": Brightness(1.0),
    "gamma": Gamma(1.0),
    "noise": Noise(1e-6, "gaussian", relative=False, key=1),
    "Rician noise": Noise(1e-6, "rician", relative=False, key=1),
    "blur": Blur((0.75, 0.75, 0.75)),
    "histogram shift": HistogramShift((0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    "low resolution": LowResolution((0.75, 0.75, 0.75)),
    "bias field": BiasField(np.zeros((4, 4, 4))),
}
CHANNEL = ChannelId("image", 0)


def marked_labels(side: int) -> Array:
    """Return labels whose air is -1, as nnU-Net marks what it did not normalize by."""
    return labels(side).astype(np.int16) - np.int16(1)


class Steps(_Operation):
    """Each step alone in a pipeline: drawn, and applied to an image and its labels."""

    params = (sorted(all_steps(SIDE)),)
    param_names = ("step",)

    def prepare(self, name: str) -> Array:
        # half the side for what crops
        self.pipeline = volaug.Compose([all_steps(SIDE // 2)[name]], seed=SEED)
        self.label = marked_labels(SIDE)
        return head(SIDE)

    def call(self) -> None:
        self.pipeline(image=self.volume, label=self.label, index=0, threads=THREADS)


class Changes(_Operation):
    """Each change of values in place, of float32: without the draw and without another array."""

    params = (list(CHANGES),)
    param_names = ("change",)

    def prepare(self, name: str) -> Array:
        self.change = CHANGES[name]
        return head(SIDE).copy()  # changed again and again

    def call(self) -> None:
        self.change.change(self.volume, CHANNEL, THREADS)
