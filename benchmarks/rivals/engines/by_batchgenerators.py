"""nnU-Net's resampling of labels, in batchgeneratorsv2."""

import importlib.metadata
from collections.abc import Iterator
from typing import Any

from ..case import Case
from ..contender import FEW, SOME, Contender, needs
from .by_torch import grid

MANY_CLASSES = 100  # 300 take 15 s a call


@needs("batchgeneratorsv2")
def label(case: Case) -> Iterator[Contender]:
    """Yield what its transform does to a segmentation, in nnU-Net's setting.

    That is ``mode_seg="bilinear"``; the other settings are its defaults. The coordinates, which
    it computes for image and labels together, are made outside of the clock.
    """
    import torch
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    torch.set_num_threads(case.threads)
    transform = SpatialTransform(
        patch_size=case.volume.shape,
        patch_center_dist_from_border=0,
        random_crop=False,
        mode_seg="bilinear",
    )
    segmentation = torch.from_numpy(case.volume)[None]
    read = grid(case, align_corners=transform.align_corners)[0]

    def run() -> Any:
        return transform._apply_to_segmentation(segmentation, grid=read)[0]

    yield Contender(
        "batchgeneratorsv2 (grid given)",
        importlib.metadata.version("batchgeneratorsv2"),
        case.threads,
        FEW if case.volume.max() > MANY_CLASSES else SOME,
        run,
    )
