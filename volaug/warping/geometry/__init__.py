"""What a warp does to places: matrices, lattices, points, boxes, inverses, determinants."""
