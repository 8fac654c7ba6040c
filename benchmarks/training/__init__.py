"""Steps of training a second, by the way in which batches are made."""

import sys

# asv imports all modules that it finds; those here need torch, and measure nothing for it.
if "asv_runner" in sys.modules:
    __path__ = []
