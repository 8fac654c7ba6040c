"""The list of all ways."""

from . import by_monai, by_nnunet, by_torchio, by_volaug
from .regions import ahead_of_workers
from .way import Way

WAYS = {
    "stream": Way("volaug Stream, threads", "torch", by_volaug.stream, by_volaug.ahead_of_stream),
    "dataset": Way("volaug VolaugDataset, workers", "torch", by_volaug.dataset, ahead_of_workers),
    "trainer": Way(
        "nnU-Net's loader, nnUNetTrainerVolaug", "nnunetv2", by_volaug.transforms, by_nnunet.ahead
    ),
    "nnunet": Way("nnU-Net's loader", "nnunetv2", by_nnunet.own, by_nnunet.ahead),
    "monai": Way("MONAI, workers", "monai", by_monai.own, ahead_of_workers),
    "torchio": Way("TorchIO, workers", "torchio", by_torchio.own, ahead_of_workers),
}
