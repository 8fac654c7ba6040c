"""What makes a sample the same each time: its key, and the numbers that each step draws from it.

The numbers come from Philox 4x64 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), which NumPy promises never to change (NEP 19); turning its bits into numbers is ours, as
NumPy promises nothing of its distributions. Each step has a generator of its own, from a digest
of the key and the step's label, so that what one step draws is independent of all the others.
"""

import hashlib
import secrets
from dataclasses import dataclass

import numpy as np

from . import checks
from .geometry.bspline import Floats

# Bits of an index or a seed that is drawn from the operating system.
FRESH_BITS = 53

# Another way from keys to numbers would need another name here.
STREAMS = b"volaug 1"


@dataclass(frozen=True)
class Key:
    """Which sample it is.

    Parameters
    ----------
    seed, epoch, index : int
        0 to 2^64 - 1: of the pipeline, of the pass over the data, and of the sample in it.

    Raises
    ------
    TypeError, ValueError
        Saying what was wanted and what was given.
    """

    seed: int
    epoch: int
    index: int

    def __post_init__(self) -> None:
        for name in ("seed", "epoch", "index"):
            object.__setattr__(self, name, checks.as_seed(name, getattr(self, name)))


def fresh_number() -> int:
    """A number from the operating system: another one in every process and at every call."""
    return secrets.randbits(FRESH_BITS)


class Numbers:
    """The random numbers of one step of one sample, in the order in which they are asked for.

    Parameters
    ----------
    key : Key
    label : str
        Of the step.
    """

    def __init__(self, key: Key, label: str) -> None:
        words = f"{key.seed} {key.epoch} {key.index} {label}".encode()
        digest = hashlib.blake2b(words, digest_size=16, person=STREAMS).digest()
        self._bits = np.random.Philox(key=np.frombuffer(digest, "<u8"))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number from `low` to `high`; all multiples of 2^-53 of the way are as likely."""
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * 2.0**-53)

    def uniforms(self, *shape: int) -> Floats:
        """Many numbers from 0 to 1, as `uniform` one after the other gives."""
        bits = self._bits.random_raw(int(np.prod(shape)))
        numbers: Floats = (bits >> np.uint64(11)).astype(np.float64).reshape(shape)
        return numbers * 2.0**-53

    def whole(self, low: int, high: int) -> int:
        """One of the whole numbers from `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, p: float) -> bool:
        """Whether something happens that does with probability `p`."""
        return self.uniform() < p

    def pick(self, weights: tuple[float, ...]) -> int:
        """The place of one of some weights, the likelier the greater it is."""
        at = self.uniform() * sum(weights)
        for place, weight in enumerate(weights):
            at -= weight
            if at < 0.0:
                return place
        return max(place for place, weight in enumerate(weights) if weight > 0.0)
