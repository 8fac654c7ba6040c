"""Warped rows: where a row reads, and what it makes of what it read."""
