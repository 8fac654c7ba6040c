"""What a warp does to places: B-splines, points, inverses, determinants, ranges."""
