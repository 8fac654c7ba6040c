"""Volumes in files: NumPy's, those that nibabel reads, and those that SimpleITK reads."""
