"""PyTorch: a dataset that augments samples where they are loaded, and its sampler."""

from .torch_dataset import VolaugDataset as VolaugDataset
from .torch_sampler import EpochSampler as EpochSampler
