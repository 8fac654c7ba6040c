"""From volumes to kernels: memory layouts, border rules, coefficients, tiles and copies."""
