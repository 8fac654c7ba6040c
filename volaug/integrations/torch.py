"""PyTorch: batches of a stream on a device, and a dataset that augments where it is loaded."""

from .torch_dataset import VolaugDataset as VolaugDataset
from .torch_sampler import EpochSampler as EpochSampler
from .torch_stream import DeviceStream as DeviceStream
from .torch_worker import StreamDataset as StreamDataset
