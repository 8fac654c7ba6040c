"""The constants of polynomials are those that `tools/polynomials.py` makes."""

import pytest

from tools.polynomials import FITS, error, fitted


@pytest.mark.parametrize("name", ["S", "C", "E"])
def test_constants_are_those_that_the_script_makes(name):
    fit = FITS[name]
    found = fitted(fit)
    assert [type(code)(value) for value, code in zip(found, fit.code, strict=True)] == [*fit.code]


def test_the_logarithm_is_as_exact_as_a_new_fit():
    """Its constants differ in the last digits: the script says why."""
    fit = FITS["A"]
    assert error(fit, fit.code) <= 1.001 * error(fit, fitted(fit))
