"""What users give by mistake."""

import numpy as np

# No single number, and nothing that becomes one.
NO_NUMBERS = ["5", None, True, 1j, {}, {1, 2}, b"5", np.float64, "5 mm"]

# Neither True nor False.
NO_FLAGS = [0, 1, None, "yes", [True], 1.0]
