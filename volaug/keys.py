"""What makes a sample the same each time: its key, and the numbers that each step draws from it.

Each step reads a stream of bits of its own, SHAKE-128 of the key and the step's label (FIPS 202),
so that what one step draws is independent of all others and of what was drawn before. The standard
fixes the bits for good, and turning them into numbers is ours: NumPy keeps its bit generators, but
not its distributions (NEP 19). A first number takes 1 microsecond, a NumPy Philox of its own 8; and
6 to 44 where they matter, between two warps that have flushed the caches (Zen 4).
"""

import hashlib
import math
import secrets
from dataclasses import asdict, dataclass

import numpy as np

from . import checks
from .warping.geometry.bspline import Floats

# Bits of an index or a seed that is drawn from the operating system.
FRESH_BITS = 53

# Bytes that one round of SHAKE-128 gives: 21 numbers.
ROUND = 168


@dataclass(frozen=True)
class Key:
    """The key of a draw: which sample it is. The same key gives the same draw.

    Parameters
    ----------
    seed : int
        Seed of the pipeline, 0 to 2^64 - 1, as all four.
    epoch : int
        Pass over the data.
    index : int
        Sample in the pass.
    occurrence : int, default 0
        How often the pass has had this sample before; a sampler that draws with replacement can
        repeat one.

    Raises
    ------
    TypeError
        If one is not an int.
    ValueError
        If one is not from 0 to 2^64 - 1.

    See Also
    --------
    Compose.draw : Draw for a key.

    Examples
    --------
    >>> record = volaug.Compose([], seed=7).draw((8, 8, 8), epoch=3, index=17)
    >>> record.key
    Key(seed=7, epoch=3, index=17, occurrence=0)
    """

    seed: int
    epoch: int
    index: int
    occurrence: int = 0

    def __post_init__(self) -> None:
        for name in ("seed", "epoch", "index", "occurrence"):
            object.__setattr__(self, name, checks.as_seed(name, getattr(self, name)))

    def to_dict(self) -> dict[str, int]:
        """Return the numbers by name, for JSON; without an occurrence of 0."""
        return {name: part for name, part in asdict(self).items() if name != "occurrence" or part}


def fresh_number() -> int:
    """Return a number from the operating system: a new one at every call."""
    return secrets.randbits(FRESH_BITS)


class RandomStream:
    """The random numbers of one step of one sample, in the order in which they are drawn.

    Parameters
    ----------
    key : Key
        Of the sample.
    label : str
        Of the step.
    """

    def __init__(self, key: Key, label: str) -> None:
        # the first occurrence has the same bits as before there were others
        index = f"{key.index}.{key.occurrence}" if key.occurrence else f"{key.index}"
        words = f"volaug {key.seed} {key.epoch} {index} {label}"
        self._stream = hashlib.shake_128(words.encode(errors="surrogatepass"))
        self._bits = self._stream.digest(ROUND)
        self._at = 0
        self._key, self._label = key, label
        self._targets: dict[str, RandomStream] = {}

    def of_target(self, name: str) -> "RandomStream":
        """Return the numbers of this step for one target, whatever other targets there are."""
        if name not in self._targets:
            self._targets[name] = RandomStream(self._key, f"{self._label}\0{name}")
        return self._targets[name]

    def _take(self, count: int) -> int:
        """Return where the bytes of the next numbers begin."""
        first, self._at = self._at, self._at + 8 * count
        if self._at > len(self._bits):
            longer = max(self._at + ROUND, 2 * len(self._bits))
            self._bits = self._stream.digest(longer)  # begins as the shorter one did
        return first

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draw a number from `low` to `high`, uniformly in multiples of 2^-53 of the range."""
        first = self._take(1)
        bits = int.from_bytes(self._bits[first : first + 8], "little")
        return low + (high - low) * ((bits >> 11) * 2.0**-53)

    def uniforms(self, *shape: int) -> Floats:
        """Draw many numbers from 0 to 1, as repeated calls of `uniform` would."""
        count = math.prod(shape)
        first = self._take(count)
        bits = np.frombuffer(self._bits, "<u8", count, first)
        numbers: Floats = (bits >> 11).astype(np.float64).reshape(shape)
        numbers *= 2.0**-53
        return numbers

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, p: float) -> bool:
        """Draw whether an event of probability `p` happens."""
        return self.uniform() < p

    def pick(self, weights: tuple[float, ...]) -> int:
        """Draw the position of one of some weights, with a probability proportional to it."""
        at = self.uniform() * sum(weights)
        for place, weight in enumerate(weights):
            at -= weight
            if at < 0.0:
                return place
        return max(place for place, weight in enumerate(weights) if weight > 0.0)
