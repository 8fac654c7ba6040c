"""Time and memory of random pipelines: a draw, a sample, presets, and a patch of a large volume."""

from typing import Any

import numpy as np

import volaug

from .clock import share_outside_kernels
from .measured import _Measured, _Operation
from .problem import DEEP_SUPERVISION, LOADED, SEED, Array, as_integers, head, labels, tiled
from .samples import drawing, random_patch, random_pipeline, sampling

PATCH = 128
PRESETS = ["nnunet", "nnunet_elastic", "mild_mri", "strong_mri"]


class Draw(_Measured):
    """`Compose.draw` of flips, an affine and an elastic step, which become one warp."""

    number = 10

    def setup(self) -> None:
        self.draw = drawing(random_pipeline(PATCH), PATCH)
        self.draw()

    def time_draw(self) -> None:
        self.draw()


class RandomWarp(_Operation):
    """A call of that pipeline with float32 and labels of int16, one thread, into new arrays."""

    params = ([128],)
    param_names = ("side",)

    def prepare(self, side: int) -> Array:
        image, classes = head(side), labels(side).astype(np.int16)
        self.sample = sampling(random_pipeline(side), image=image, label=classes)
        return image

    def call(self) -> None:
        self.sample()

    def track_outside_kernels(self, side: int) -> float:
        return round(100 * share_outside_kernels(self.sample), 2)

    track_outside_kernels.unit = "%"  # type: ignore[attr-defined]


class Presets(_Operation):
    """Some samples of each preset: patches from the middle of more voxels; one thread.

    Steps that are drawn seldom make samples differ, so that a call makes as many as have most.
    """

    params = (PRESETS, [96])
    param_names = ("preset", "side")
    samples = 8

    def prepare(self, name: str, side: int) -> Array:
        loaded = round(LOADED * side)
        image, self.classes = head(loaded), labels(loaded).astype(np.int16)
        self.image = (image - image.mean()) / image.std()
        more: dict[str, Any] = {"swap": set()}  # no label tells left from right
        if name.startswith("nnunet"):
            more = {"deep_supervision": DEEP_SUPERVISION}
        self.pipeline = getattr(volaug.presets, name)(side, seed=SEED, **more)
        return head(side)

    def call(self) -> None:
        for index in range(self.samples):
            self.pipeline(image=self.image, label=self.classes, index=index, threads=1)


class PatchOfVolume(_Measured):
    """A patch of 128^3 out of int16 with `side` voxels along each axis; one thread."""

    params = ([160, 512],)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        # all of it small, as what it takes here counts in `peakmem_reference` too
        volume = tiled(as_integers(head(PATCH // 2), "int16"), side)
        sampling(random_patch(PATCH // 2), image=volume)()  # loads the kernel
        self.sample = sampling(random_patch(PATCH), image=volume)

    def time_patch(self, side: int) -> None:
        self.sample()

    def peakmem_reference(self, side: int) -> None:
        """Do nothing: what Python, the compiler and `setup` hold, to take from the next one."""

    def peakmem_patch(self, side: int) -> None:
        self.sample()
