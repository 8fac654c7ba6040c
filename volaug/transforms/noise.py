"""Noise: Gaussian, or that of a magnitude image."""

import hashlib
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

import numpy as np

from .. import checks
from ..kernels.values.normal_noise import BLOCK as NOISE_BLOCK, add_gaussian_noise, add_rician_noise
from ..keys import RandomStream
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import Channel, Memory, kernel_arguments, run_blocks, statistics
from .per_channel import (
    MAX_VALUE,
    ChannelId,
    FloatPerChannel,
    IntensityOperation,
    evenly,
    of_channel,
    settle,
)
from .ranges import Pair, Range, as_flag, positive

NoiseKind = Literal["gaussian", "rician"]
NOISES = get_args(NoiseKind)


@dataclass(frozen=True, repr=False)
class RandomNoise(ValueStep):
    """Add noise, another one for each voxel, channel and target.

    Parameters
    ----------
    std : number or pair
        The noise's standard deviation, drawn evenly; a number `a` means 0 to a. In standard
        deviations of the channel. 0 to 0.1 by default, as in nnU-Net, where it is called variance.
    kind : {"gaussian", "rician"}
        Rician is that of a magnitude image, with noise in its real and in its imaginary part: it
        brightens what is dark. A magnitude is never negative: in a channel that has negative
        values, as after a normalization by mean and standard deviation, magnitudes are taken
        from its least value. So that value should be that of air, without any signal.
    relative : bool
        Whether deviations are relative; otherwise they are in units of the values.
    per_channel : bool
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

    std: Range = 0.1
    _: KW_ONLY
    kind: NoiseKind = "gaussian"
    relative: bool = True
    per_channel: bool = False
    p: float = field(default=0.1, kw_only=True)
    _stds: Pair = field(init=False, compare=False)

    def check(self) -> None:
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        as_flag("per_channel", self.per_channel)
        self._derive(_stds=positive("std", self.std, 1e6))

    def draw(self, grid: Grid, stream: RandomStream) -> "Noise":
        key = stream.whole(0, 2**53 - 1)
        stds = evenly(self._stds, self.per_channel, grid, stream)
        return Noise(stds, self.kind, self.relative, key)


@dataclass(frozen=True)
class Noise(IntensityOperation):
    """Add normal noise, another one for each voxel, channel, target and key."""

    std: FloatPerChannel
    kind: NoiseKind
    relative: bool
    key: int

    def __post_init__(self) -> None:
        settle(self, "std", 0.0, MAX_VALUE)
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        checks.as_seed("key", self.key)

    @classmethod
    def examples(cls) -> tuple["Noise", ...]:
        return cls(1.0, "gaussian", False, 0), cls(1.0, "rician", False, 0)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        std, origin = of_channel(self.std, channel), 0.0
        if self.relative or self.kind == "rician":
            found = statistics(voxels, threads)
            std *= found.std if self.relative else 1.0
            origin = min(found.min, 0.0)  # no magnitude is negative: zero has been moved there
        if std > 0.0:  # NaN is not
            words = f"{channel.target} {channel.channel}".encode(errors="surrogatepass")
            stream = int.from_bytes(hashlib.shake_128(words).digest(8), "little")
            add_noise(voxels, std, self.kind == "rician", stream, self.key, threads, origin)


def add_noise(
    channel: Channel,
    std: float,
    rician: bool,
    stream: int,
    key: int,
    threads: int,
    origin: float = 0.0,
) -> None:
    """Add normal noise, or that of a magnitude: a function of place, `stream` and `key`.

    A magnitude is counted from `origin`, which stands for no signal.
    """
    kind, (scale, zero) = kernel_arguments(channel, std, origin)
    words = np.uint64(stream), np.uint64(key)

    def work(memory: Memory, first: int, stop: int) -> None:
        if rician:
            add_rician_noise(kind, memory, scale, zero, *words, first, stop)
        else:
            add_gaussian_noise(kind, memory, scale, *words, first, stop)

    run_blocks(channel, work, NOISE_BLOCK, threads, in_c_order=True)
