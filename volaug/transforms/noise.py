"""Noise: Gaussian, or Rician as in a magnitude image."""

import hashlib
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

import numpy as np

from .. import checks
from ..checks import check_flag
from ..kernels.values.normal_noise import BLOCK as NOISE_BLOCK, add_gaussian_noise, add_rician_noise
from ..keys import RandomStream
from ..warping.fusion import Grid
from .channels import Channel, Mask, Memory, kernel_arguments, run_blocks, statistics
from .masked import MaskedOperation, MaskedStep
from .operation import Voxels
from .per_channel import (
    MAX_VALUE,
    ChannelId,
    FloatPerChannel,
    check_numbers,
    evenly,
    of_channel,
)
from .ranges import Pair, Range, positive

NoiseKind = Literal["gaussian", "rician"]
NOISES = get_args(NoiseKind)


@dataclass(frozen=True, repr=False)
class RandomNoise(MaskedStep):
    """Add noise that is independent for each voxel, channel and target.

    Parameters
    ----------
    std : float or (low, high), default 0.1
        Standard deviation of the noise, 0 to 1e6, drawn uniformly; a number `a` means 0 to a. In
        standard deviations of the channel if `relative`, else in units of the values. The default
        is nnU-Net's, where it is called variance.
    kind : {"gaussian", "rician"}
        Distribution. Rician noise is that of a magnitude image, with Gaussian noise in its real and
        its imaginary part; it brightens dark voxels. Magnitudes are not negative: if a channel has
        negative values, as after a normalization to mean 0, magnitudes count from its minimum,
        which should then be air, without signal.
    relative : bool, default True
        Whether `std` is in standard deviations of the channel.
    per_channel : bool, default False
        Whether each channel of each image gets its own `std`.
    p : float, default 0.1
        Probability of applying the step, 0 to 1; nnU-Net's.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.
    mask : str or float, optional
        Where to apply the step, and where its statistics come from: the name of a target, which
        must be over 0 there, or a number, which the image must be over. Default: everywhere.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If `std` is not from 0 to 1e6, its range is reversed, `kind` is none of the two, or `p` is
        not from 0 to 1.

    See Also
    --------
    RandomBrightness : Multiply values, and add the same to all.

    Notes
    -----
    The noise is a function of the voxel's index, the key, the target's name and the channel: it is
    the same for any number of threads.

    Examples
    --------
    >>> step = volaug.RandomNoise((10, 10), relative=False, p=1.0)
    >>> noise = volaug.Compose([step], seed=7)(image=np.zeros((40, 40, 40)), index=0)["image"]
    >>> float(noise.std().round(1))
    10.0
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
        check_flag("relative", self.relative)
        check_flag("per_channel", self.per_channel)
        self._derive(_stds=positive("std", self.std, 1e6))

    def draw(self, grid: Grid, stream: RandomStream) -> "Noise":
        key = stream.whole(0, 2**53 - 1)
        stds = evenly(self._stds, self.per_channel, grid, stream)
        return Noise(stds, self.kind, self.relative, key)


@dataclass(frozen=True, repr=False)
class Noise(MaskedOperation):
    """Add normal noise that is independent for each voxel, channel, target and key."""

    std: FloatPerChannel
    kind: NoiseKind
    relative: bool
    key: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "std", 0.0, MAX_VALUE)
        checks.check_choice("kind", self.kind, NOISES)
        check_flag("relative", self.relative)
        checks.as_seed("key", self.key)

    @classmethod
    def examples(cls) -> tuple["Noise", ...]:
        return cls(1.0, "gaussian", False, 0), cls(1.0, "rician", False, 0)

    def change_inside(self, voxels: Voxels, channel: ChannelId, threads: int, mask: Mask) -> None:
        std, origin = of_channel(self.std, channel), 0.0
        if self.relative or self.kind == "rician":
            found = statistics(voxels, threads, mask)
            std *= found.std if self.relative else 1.0
            origin = min(found.min, 0.0)  # no magnitude is negative: zero has been moved there
        if std > 0.0:  # NaN is not
            words = f"{channel.target} {channel.channel}".encode(errors="surrogatepass")
            stream = int.from_bytes(hashlib.shake_128(words).digest(8), "little")
            add_noise(voxels, std, self.kind == "rician", stream, self.key, threads, origin, mask)


def add_noise(
    channel: Channel,
    std: float,
    rician: bool,
    stream: int,
    key: int,
    threads: int,
    origin: float = 0.0,
    mask: Mask = None,
) -> None:
    """Add normal or Rician noise: a function of voxel index, `stream` and `key`.

    Magnitudes count from `origin`, which stands for no signal.
    """
    kind, (scale, zero) = kernel_arguments(channel, std, origin)
    words = np.uint64(stream), np.uint64(key)

    def work(memory: Memory, first: int, stop: int) -> None:
        if rician:
            add_rician_noise(kind, memory, scale, zero, *words, first, stop)
        else:
            add_gaussian_noise(kind, memory, scale, *words, first, stop)

    run_blocks(channel, work, NOISE_BLOCK, threads, mask, in_c_order=True)
