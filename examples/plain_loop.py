"""Plain PyTorch: a loop of your own over batches that are on the device already.

    python examples/plain_loop.py --steps 20

It keeps its state after each epoch. Run it again with the same --state, and it goes on.
"""

import argparse
import os

import torch
from heads import head, network
from torch.nn.functional import cross_entropy

from volaug import Stream, presets
from volaug.integrations.torch import DeviceStream

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--state", help="file to keep the state in")
given = parser.parse_args()

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
cases = [head(number) for number in range(4)]  # or {"image": "t1.nii.gz", "label": "seg.nii.gz"}
stream = Stream(cases, presets.nnunet(32), patch_shape=32, batch_size=2, seed=7)
model = network().to(device)
optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

with DeviceStream(stream, device, batches_per_epoch=5) as batches:
    if given.state and os.path.exists(given.state):
        state = torch.load(given.state)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        batches.load_state_dict(state["batches"])
    while batches.batches < given.steps:
        for batch in batches:  # an epoch of 5 batches
            optimizer.zero_grad(set_to_none=True)
            loss = cross_entropy(model(batch["image"]), batch["label"][:, 0].long())
            loss.backward()
            optimizer.step()
            print(f"batch {batches.batches}: loss {loss.item():.6f}", flush=True)
            if batches.batches == given.steps:
                break
        if given.state:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "batches": batches.state_dict()}, given.state + ".new")
            os.replace(given.state + ".new", given.state)
    print(batches.report())
