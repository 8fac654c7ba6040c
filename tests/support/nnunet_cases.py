"""Cases as nnU-Net's data loader asks for them, and transforms for its trainer."""

import numpy as np
import pytest

from support.volumes import blob

torch = pytest.importorskip("torch")
pytest.importorskip("nnunetv2")

from nnunetv2.utilities.label_handling.label_handling import LabelManager  # noqa: E402

from volaug.integrations.nnunet import training_transforms  # noqa: E402

CASE = (26, 30, 28)
PATCH, FLAT, SLICE = (16, 20, 12), (4, 20, 14), (20, 16)
LABELS = LabelManager({"background": 0, "a": 1, "b": 2}, None)
REGIONS = LabelManager({"background": 0, "ab": [1, 2], "b": 2, "ignore": 3}, (1, 2))
THIRTY = (-np.pi / 6, np.pi / 6)
ROUND = (-np.pi, np.pi)


class Cases:
    """What nnU-Net's data loader asks of a dataset; -1 in the labels is outside."""

    def __init__(self, cascaded=False, shape=CASE):
        self.identifiers = ["one", "two"]
        self.cascaded = cascaded
        self.shape = shape

    def load_case(self, identifier):
        place = 0.4 if identifier == "one" else 0.6
        scan = blob(self.shape, np.multiply(place, self.shape), 6.0)
        label = (scan > 0.3).astype(np.int16) + (scan > 0.7)
        label[:3] = -1
        places = {k: np.argwhere(label[np.newaxis] == k) for k in (1, 2)}
        places[-1, 0, 1, 2] = np.argwhere(label[np.newaxis] >= 0)  # what is annotated
        earlier = label if self.cascaded else None
        return np.stack([scan, 1 - scan]), label[np.newaxis], earlier, {"class_locations": places}


def seeded(seed, torchs=0):
    np.random.seed(seed)  # noqa: NPY002 - which nnU-Net draws from
    torch.manual_seed(torchs)


def sample_of(shape=CASE, channels=1):
    image, label, _, _ = Cases(shape=shape).load_case("one")
    label = np.repeat(label, channels, axis=0)
    return {"image": torch.from_numpy(image), "segmentation": torch.from_numpy(label)}


def ours(patch=PATCH, rotation=THIRTY, scales=None, axes=(), dummy=False, **options):
    return training_transforms(patch, rotation, scales, axes, dummy, **options)
