"""Synthetic heads for the examples: an ellipsoid with two structures in it, and noise."""

import numpy as np


def head(number: int, side: int = 48) -> dict[str, np.ndarray]:
    """Return an image (1, n, n, n) and its label: 0 outside, 1 head, 2 and 3 structures."""
    rng = np.random.default_rng(number)
    place = np.stack(np.meshgrid(*3 * [np.linspace(-1, 1, side)], indexing="ij"))

    def ellipsoid(center, radii):
        center, radii = (np.reshape(v, (3, 1, 1, 1)) for v in (center, radii))
        return (((place - center) / radii) ** 2).sum(axis=0) < 1

    label = np.zeros((side, side, side), np.int16)
    label[ellipsoid(rng.normal(0, 0.05, 3), rng.uniform(0.6, 0.8, 3))] = 1
    label[ellipsoid(rng.uniform(-0.3, 0.3, 3), rng.uniform(0.15, 0.25, 3))] = 2
    label[ellipsoid(rng.uniform(-0.3, 0.3, 3), rng.uniform(0.1, 0.2, 3))] = 3
    image = np.array([0.0, 1.0, 1.6, 0.5], np.float32)[label]
    image += rng.normal(0, 0.2, image.shape).astype(np.float32)
    return {"image": ((image - image.mean()) / image.std())[np.newaxis], "label": label}


def network(classes: int = 4):
    """Return a small network, in place of yours."""
    from torch import manual_seed, nn

    manual_seed(0)
    layers = [nn.Conv3d(1, 8, 3, padding=1), nn.InstanceNorm3d(8), nn.LeakyReLU()]
    return nn.Sequential(*layers, nn.Conv3d(8, classes, 1))
