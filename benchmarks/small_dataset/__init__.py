"""Does augmentation help with one training case? Two heads, of which one trains and one tests."""

import sys

# asv imports all modules that it finds; those here need torch, and measure nothing for it.
if "asv_runner" in sys.modules:
    __path__ = []
