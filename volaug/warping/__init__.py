"""One warp: its geometry, and the engine that resamples by it."""
