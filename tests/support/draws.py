"""Whether numbers are drawn as they should be."""

import numpy as np
import scipy.stats


def is_even(values, low, high):
    """Whether values are uniform between two limits and come near to both."""
    near = 0.03 * (high - low)
    ends = abs(np.min(values) - low) < near and abs(np.max(values) - high) < near
    return ends and scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > 1e-4
