"""What kernels can take, for those who check it without Numba."""

# Voxels of an axis. Up to here snapped coordinates are exact, see warp/coordinates.py.
LONGEST_AXIS = 2**19
