"""Changes of the values of voxels, in place."""
