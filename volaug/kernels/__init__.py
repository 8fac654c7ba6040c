"""The loops over voxels: the only place that imports Numba. Start with `tiles`."""
