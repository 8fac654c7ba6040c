"""Noise: Gaussian, or that of a magnitude image."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..kernels.values.normal_noise import BLOCK as NOISE_BLOCK, add_noise, add_rician_noise
from ..keys import Numbers
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import Channel, Memory, kernel_arguments, run_blocks, statistics
from .per_channel import MOST, IntensityOperation, PerChannel, Place, evenly, of_channel, settle
from .ranges import Pair, Range, as_flag, positive

NOISES = ("gaussian", "rician")


@dataclass(frozen=True, repr=False)
class RandomNoise(ValueStep):
    """Add noise, another one for each voxel, channel and target.

    Parameters
    ----------
    deviation : number or pair
        The noise's standard deviation, drawn evenly; a number `a` means 0 to a. In standard
        deviations of the channel. 0 to 0.1 by default, as in nnU-Net, where it is called variance.
    kind : {"gaussian", "rician"}
        Rician is that of a magnitude image, with noise in its real and in its imaginary part: it
        brightens what is dark. A magnitude is never negative: in a channel that has negative
        values, as after a normalization by mean and standard deviation, magnitudes are taken
        from its least value. So that value should be that of air, without any signal.
    relative : bool
        Whether deviations are relative; otherwise they are in units of the values.
    apart : bool
        Draw deviations for each channel of each image.
    p : float
        How likely it happens; 0.1 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    A voxel's noise follows from its place, the key, the target's name and the channel: the same
    for any number of threads. See `kernels/values/normal_noise.py`.
    """

    deviation: Range = 0.1
    kind: str = "gaussian"
    relative: bool = True
    apart: bool = False
    p: float = field(default=0.1, kw_only=True)
    _deviations: Pair = field(init=False, compare=False)

    def check(self) -> None:
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        as_flag("apart", self.apart)
        self._derive(_deviations=positive("deviation", self.deviation, 1e6))

    def draw(self, grid: Grid, numbers: Numbers) -> "Noise":
        key = numbers.whole(0, 2**53 - 1)
        deviations = evenly(self._deviations, self.apart, grid, numbers)
        return Noise(deviations, self.kind, self.relative, key)


@dataclass(frozen=True)
class Noise(IntensityOperation):
    """Add normal noise, another one for each voxel, channel, target and key."""

    deviation: PerChannel
    kind: str
    relative: bool
    key: int

    def __post_init__(self) -> None:
        settle(self, "deviation", 0.0, MOST)
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        checks.as_seed("key", self.key)

    @classmethod
    def examples(cls) -> tuple["Noise", ...]:
        return cls(1.0, "gaussian", False, 0), cls(1.0, "rician", False, 0)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        deviation, origin = of_channel(self.deviation, place), 0.0
        if self.relative or self.kind == "rician":
            found = statistics(voxels, threads)
            deviation *= found.deviation if self.relative else 1.0
            origin = min(found.least, 0.0)  # no magnitude is negative: zero has been moved there
        if deviation > 0.0:  # NaN is not
            words = f"{place.target} {place.channel}".encode(errors="surrogatepass")
            stream = int.from_bytes(hashlib.shake_128(words).digest(8), "little")
            noise(voxels, deviation, self.kind == "rician", stream, self.key, threads, origin)


def noise(
    channel: Channel,
    deviation: float,
    rician: bool,
    stream: int,
    key: int,
    threads: int,
    origin: float = 0.0,
) -> None:
    """Add normal noise, or that of a magnitude: a function of place, `stream` and `key`.

    A magnitude is counted from `origin`, which stands for no signal.
    """
    kind, (scale, zero) = kernel_arguments(channel, deviation, origin)
    words = np.uint64(stream), np.uint64(key)

    def work(memory: Memory, first: int, stop: int) -> None:
        if rician:
            add_rician_noise(kind, memory, scale, zero, *words, first, stop)
        else:
            add_noise(kind, memory, scale, *words, first, stop)

    run_blocks(channel, work, NOISE_BLOCK, threads, in_c_order=True)
