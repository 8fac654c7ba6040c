"""What users say of steps, within Stream and the loops of torch, MONAI, TorchIO and nnU-Net."""

import numpy as np
import pytest

import volaug
from support.volumes import random_volume
from volaug import (
    Compose,
    Normalize,
    RandomBlur,
    RandomFlip,
    RandomGamma,
    RandomTranslation,
    Stream,
)

SHAPE = (12, 13, 14)
FLAIR_ALONE = [
    RandomBlur((2, 2), p=1, include=["flair"]),
    RandomTranslation(((2, 2), 0, 0), p=1, include=["flair"]),
]
ALONE = Compose(FLAIR_ALONE, seed=0, targets={"flair": "image"})
MIRRORED = Compose([RandomFlip("LR", p=1)], seed=0, swap={(1, 2)})


@volaug.register
class Brighten(volaug.IntensityTransform):
    """Registered in each worker that is not forked, as that imports this module."""

    def get_parameters(self, grid, stream):
        return {"amount": stream.uniform(2, 3)}

    @staticmethod
    def change(voxels, amount):
        voxels += np.float32(amount)


OWN = Compose([Brighten()], seed=0)
MASKED = [Normalize(mask="label", fill=0.0), RandomGamma((2, 2), p_inverted=0, mask="label", p=1)]


def is_masked(image, label):
    """Whether the voxels of the label alone were normalized and changed, with their statistics."""
    image, inside = np.asarray(image)[0], np.asarray(label)[0] > 0
    return (
        (image[~inside] == 0).all()
        and abs(image[inside].mean()) < 1e-5
        and abs(image[inside].std() - 1) < 1e-5
        and image[inside].max() > 2  # gamma makes a tail
    )


def image():
    return random_volume((1, *SHAPE))


def sides():
    """A left and a right structure; mirrored, each lies where the other one was."""
    label = np.zeros((1, *SHAPE), np.uint8)
    label[:, 1], label[:, 10] = 1, 2
    return label


@pytest.mark.oracle("monai")
def test_in_monai():
    import torch
    from monai.data import MetaTensor

    from volaug.integrations.monai import Volaugd

    given = {name: MetaTensor(torch.from_numpy(image())) for name in ("image", "flair")}
    given["label"] = MetaTensor(torch.from_numpy(sides()))
    transform = Volaugd(["image", "flair", "label"], ALONE)
    result = transform(given)
    back = transform.inverse(result)
    for name in ("image", "label"):
        assert torch.equal(result[name], given[name])
        assert torch.equal(torch.as_tensor(back[name]), torch.as_tensor(given[name]))
    assert not torch.equal(result["flair"], given["flair"])
    pair = {name: given[name] for name in ("image", "label")}
    mirrored = Volaugd(["image", "label"], MIRRORED)(pair)
    assert torch.equal(mirrored["label"], given["label"])
    assert not torch.equal(mirrored["image"], given["image"])
    assert Volaugd(["image"], OWN)(pair)["image"].mean() > 1
    masked = Volaugd(["image", "label"], Compose(MASKED, seed=0))(pair)
    assert is_masked(masked["image"], masked["label"])


@pytest.mark.oracle("torchio")
def test_in_torchio():
    import torch
    import torchio as tio

    from volaug.integrations.torchio import RandomVolaug

    voxels, label = torch.from_numpy(image()), torch.from_numpy(sides())
    names = ("image", "flair", "other")
    subject = tio.Subject(
        {name: tio.ScalarImage(tensor=voxels.clone()) for name in names},
        seg=tio.LabelMap(tensor=label.clone()),
    )
    result = RandomVolaug(ALONE)(subject)
    assert [torch.equal(result[name].data, voxels) for name in names] == [True, False, True]
    excluded = Compose([RandomBlur((2, 2), p=1, exclude=["flair"])], targets={"flair": "image"})
    result = RandomVolaug(excluded)(subject)
    assert [torch.equal(result[name].data, voxels) for name in names] == [False, True, False]
    result = RandomVolaug(MIRRORED)(subject)
    assert torch.equal(result["seg"].data, label)
    assert torch.equal(result.apply_inverse_transform(warn=False)["seg"].data, label)
    assert RandomVolaug(OWN)(subject)["other"].data.mean() > 1
    subject = tio.Subject(image=subject["image"], label=subject["seg"])
    masked = RandomVolaug(Compose(MASKED))(subject)
    assert is_masked(masked["image"].data, masked["label"].data)


@pytest.mark.oracle("torch")
@pytest.mark.slow
def test_in_torch():
    from torch.utils.data import DataLoader

    from volaug.integrations.torch import VolaugDataset

    cases = [{"image": image(), "flair": image(), "label": sides()}] * 4
    for sample in VolaugDataset(cases, ALONE):
        np.testing.assert_array_equal(sample["image"], image())
        assert (sample["flair"].numpy() != image()).any()
    for sample in VolaugDataset([{"image": image(), "label": sides()}], MIRRORED):
        np.testing.assert_array_equal(sample["label"], sides())
    for sample in VolaugDataset([{"image": image(), "label": sides()}], Compose(MASKED)):
        assert is_masked(sample["image"], sample["label"])
    dataset = VolaugDataset([{"image": image()}] * 4, OWN)
    for context in ("fork", "forkserver"):
        loader = DataLoader(dataset, None, num_workers=2, multiprocessing_context=context)
        assert all(sample["image"].mean() > 1 for sample in loader)


@pytest.mark.oracle("batchgeneratorsv2")
def test_in_nnunet():
    import torch

    from volaug.integrations.nnunet import NnunetTransform

    given = {"image": torch.from_numpy(image()), "segmentation": torch.from_numpy(sides())}
    result = NnunetTransform(MIRRORED)(**given)
    assert torch.equal(result["segmentation"], given["segmentation"])
    masked = NnunetTransform(Compose(MASKED))(**given)
    assert is_masked(masked["image"], masked["segmentation"])
    two = torch.cat([given["image"]] * 2)
    blurred = Compose([RandomBlur((2, 2), p=1, channels=1)], seed=0)
    result = NnunetTransform(blurred)(image=two)["image"]
    assert torch.equal(result[0], two[0])
    assert not torch.equal(result[1], two[1])
    assert NnunetTransform(OWN)(image=given["image"])["image"].mean() > 1


def test_in_stream():
    cases = [{"image": image(), "flair": image(), "label": sides()}] * 2
    options = {"patch_shape": SHAPE, "batch_size": 1, "seed": 0}
    batch = next(iter(Stream(cases, ALONE, **options)))
    np.testing.assert_array_equal(batch["image"][0], image())
    assert (batch["flair"][0] != image()).any()
    pair = [{name: case[name] for name in ("image", "label")} for case in cases]
    batch = next(iter(Stream(pair, MIRRORED, **options)))
    np.testing.assert_array_equal(batch["label"][0], sides())
    batch = next(iter(Stream([{"image": image()}], OWN, **options)))
    assert batch["image"].mean() > 1
    batch = next(iter(Stream(pair, Compose(MASKED), **options)))
    assert is_masked(batch["image"][0], batch["label"][0])
