"""Layouts of datasets on disk: which files belong together, and what copies are called."""
