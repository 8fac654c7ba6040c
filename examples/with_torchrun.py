"""Several ranks: each makes its share of the batches, on its share of the cores.

    torchrun --nproc-per-node 2 examples/with_torchrun.py --steps 20

Nothing has to be said about ranks: a Stream finds its own, as `shard=` would say it. All ranks
together make the batches that one rank makes alone.
"""

import argparse
import hashlib
import os

import torch
import torch.distributed
from heads import head, network
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import volaug
from volaug import Stream, presets
from volaug.integrations.torch import DeviceStream

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=20, help="of all ranks together")
given = parser.parse_args()

on_gpu = torch.cuda.is_available()
torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
device = f"cuda:{os.environ['LOCAL_RANK']}" if on_gpu else "cpu"
model = DistributedDataParallel(network().to(device))
optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

cases = [head(number) for number in range(4)]
stream = Stream(cases, presets.nnunet(32), patch_shape=32, batch_size=2, seed=7)
print(f"rank {rank} of {ranks} has {volaug.get_num_threads()} threads", flush=True)
with DeviceStream(stream, device, batches_per_epoch=given.steps // ranks) as batches:
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(batch["image"]), batch["label"][:, 0].long())
        loss.backward()
        optimizer.step()
        for image, record in zip(batch["image"], batch["record"], strict=True):
            bits = hashlib.sha256(image.cpu().numpy().tobytes()).hexdigest()[:16]
            print(f"sample {record.key.epoch} {record.key.index} {bits}", flush=True)
torch.distributed.destroy_process_group()
