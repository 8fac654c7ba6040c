"""Augmented copies of files: what is to be done, and doing it."""
