"""The constants of the polynomials in `volaug/kernels/values/`, and how they were made.

Each polynomial is fitted to its function at Chebyshev nodes by least squares, of the error or
of the relative error, which comes near to the smallest maximum. The coefficients are rounded
to the digits that stand in the code.

    python -m tools.polynomials

prints them, and where the code has others. `tests/test_polynomials.py` compares them to the bit,
but for those of log2 (A): how these were made to the last digit is not known. The fit here differs
by up to 6e-8 of a coefficient and has the same error; 4,000 nodes of ``log2(1 + t) / t``, solved in
powers of t, come to within 2e-11. Other constants would change results, so these stay.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from volaug.kernels.values import normal_noise, vector_math

NODES = 1000


class Fit(NamedTuple):
    """A polynomial of a function between two ends."""

    function: Callable[[Any], Any]
    low: float
    high: float
    code: tuple[Any, ...]  # the constants in the code, the constant term first
    digits: int
    relative: bool = False


def sine(z: Any) -> Any:
    """sin(pi v / 2) / v of v^2."""
    v = np.sqrt(z)
    return np.sin(np.pi / 2 * v) / v


def cosine(z: Any) -> Any:
    """cos(pi v / 2) of v^2."""
    return np.cos(np.pi / 2 * np.sqrt(z))


def logarithm(t: Any) -> Any:
    """log2(1 + t) / t."""
    return np.log1p(t) / (t * math.log(2.0))


def names(module: Any, letter: str, count: int) -> tuple[Any, ...]:
    """The constants of a module that are a letter and a number."""
    return tuple(getattr(module, f"{letter}{k}") for k in range(count))


FITS = {
    "S": Fit(sine, 0.0, 0.25, names(normal_noise, "S", 4), 9),
    "C": Fit(cosine, 0.0, 0.25, names(normal_noise, "C", 4), 9),
    "E": Fit(np.exp2, -0.5, 0.5, names(vector_math, "E", 7), 12, relative=True),
    "A": Fit(
        logarithm, math.sqrt(0.5) - 1.0, math.sqrt(2.0) - 1.0, names(vector_math, "A", 10), 12
    ),
}


def nodes(fit: Fit) -> Any:
    """Chebyshev nodes between the ends."""
    cosines = np.cos((np.arange(NODES) + 0.5) * np.pi / NODES)
    return (fit.low + fit.high) / 2 + (fit.high - fit.low) / 2 * cosines


def fitted(fit: Fit) -> list[float]:
    """The coefficients, the constant term first, rounded to their digits."""
    x = nodes(fit)
    values = fit.function(x)
    weights = 1.0 / values if fit.relative else np.ones(NODES)
    middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
    # in Chebyshev polynomials the equations are well conditioned, in powers they are not
    terms = chebyshev.chebvander((x - middle) / half, len(fit.code) - 1)
    found = np.linalg.lstsq(terms * weights[:, np.newaxis], values * weights, rcond=None)[0]
    series = chebyshev.Chebyshev(found, domain=[fit.low, fit.high])
    powers = series.convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1])
    return [float(f"{value:.{fit.digits}g}") for value in powers.coef]


def error(fit: Fit, coefficients: Any) -> float:
    """The maximum of the error, or of the relative one, over the nodes."""
    x = nodes(fit)
    values = fit.function(x)
    errors = np.polynomial.polynomial.polyval(x, np.array(coefficients, float)) - values
    return float(np.abs(errors / values if fit.relative else errors).max())


if __name__ == "__main__":
    for name, fit in FITS.items():
        found = fitted(fit)
        print(f"{name}: error {error(fit, fit.code):.2g} in the code, {error(fit, found):.2g} here")
        for k, (value, code) in enumerate(zip(found, fit.code, strict=True)):
            same = type(code)(value) == code
            print(f"  {name}{k} = {value:.{fit.digits}g}{'' if same else f', in the code {code}'}")
