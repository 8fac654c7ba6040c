"""The ways to load that are compared: one more is a function, and a line in `known.py`."""
