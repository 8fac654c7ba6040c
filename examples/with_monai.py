"""MONAI: its network and loss, and batches of a Stream; or its own datasets and ThreadDataLoader.

python examples/with_monai.py --steps 20
python examples/with_monai.py --steps 20 --loader ThreadDataLoader
"""

import argparse

import torch
from heads import head
from monai.data import CacheDataset, ThreadDataLoader
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from monai.transforms import Compose, ToTensord
from monai.utils import set_determinism

from volaug import Stream, presets
from volaug.integrations.monai import Volaugd
from volaug.integrations.torch import DeviceStream

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--loader", choices=["Stream", "ThreadDataLoader"], default="Stream")
given = parser.parse_args()
set_determinism(7)

device = "cuda" if torch.cuda.is_available() else "cpu"
cases = [head(number) for number in range(4)]
if given.loader == "Stream":  # random patches, as RandCropByPosNegLabeld would draw them
    stream = Stream(cases, presets.nnunet(32), patch_shape=32, batch_size=2, seed=7)
    loader = DeviceStream(stream, device, batches_per_epoch=5)
else:  # volaug as one transform among MONAI's, in a thread beside the training
    for case in cases:
        case["label"] = case["label"][None]
    augment = Volaugd(["image", "label"], presets.nnunet(32))
    dataset = CacheDataset(cases, Compose([ToTensord(["image", "label"]), augment]), progress=False)
    loader = ThreadDataLoader(dataset, batch_size=2, shuffle=True, num_workers=0, buffer_size=2)

model = BasicUNet(3, 1, 4, features=(8, 8, 16, 16, 16, 8)).to(device)
criterion = DiceCELoss(to_onehot_y=True, softmax=True)
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
done = 0
while done < given.steps:
    for batch in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(batch["image"].to(device)), batch["label"].to(device))
        loss.backward()
        optimizer.step()
        done += 1
        print(f"step {done}: loss {loss.item():.4f}", flush=True)
        if done == given.steps:
            break
