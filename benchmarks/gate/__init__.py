"""Whether a change makes volaug slower: ``python -m benchmarks.gate``."""
