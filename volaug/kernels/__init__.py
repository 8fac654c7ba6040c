"""The loops over voxels: the only place that imports Numba. Start with `tiles`."""

# Voxels of an axis. Up to here snapped coordinates are exact, see warp/coordinates.py. It stands
# here so that who checks it need not import Numba.
MAX_AXIS_LENGTH = 2**19
