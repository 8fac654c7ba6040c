"""From volumes to kernels: memory, borders, spline coefficients, tiles, copies."""
