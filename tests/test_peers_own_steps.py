"""Own steps, chosen targets, symmetries, rotations and averages beside those of other libraries."""

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.spatial.transform import Rotation

import volaug
from support.volumes import blob, drawn, random_volume
from volaug import (
    Compose,
    RandomAffine,
    RandomBlur,
    RandomCubeSymmetry,
    RandomFlip,
    RandomGamma,
    RandomNoise,
    RandomRotation,
    average_predictions,
)

SHAPE, SPACING = (19, 22, 27), (1.0, 2.0, 1.5)
BY_MONAI, BY_TORCHIO = pytest.mark.oracle("monai"), pytest.mark.oracle("torchio")


def of_values(function):
    """A step that changes the values of a channel by a function, registered as `Own`."""

    class Own(volaug.IntensityTransform):
        def get_parameters(self, grid, stream):
            return {}

        @staticmethod
        def change(voxels):
            return function(voxels)

    return volaug.register(Own)()


def of_matrix(matrix):
    """A step that moves the image by a matrix, registered as `Own`."""

    class Own(volaug.SpatialTransform):
        def get_parameters(self, grid, stream):
            return {"rows": matrix}

        @staticmethod
        def matrix(grid, rows):
            return np.array(rows)

    return volaug.register(Own)()


FUNCTIONS = {
    "in place": lambda voxels: np.multiply(voxels, voxels, out=voxels),
    "a new array": lambda voxels: np.sqrt(np.abs(voxels)),
    "a filter": lambda voxels: ndimage.median_filter(voxels, 3),
}


@pytest.mark.usefixtures("forget")
@BY_TORCHIO
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_changes_values_as_torchios_lambda_does(function):
    import torch
    import torchio as tio

    image = random_volume((2, *SHAPE))

    def of_channels(tensor):
        return torch.stack([torch.from_numpy(function(c.numpy().copy())) for c in tensor])

    expected = tio.Lambda(of_channels)(tio.ScalarImage(tensor=torch.from_numpy(image.copy())))
    result = Compose([of_values(function)], seed=0)(image=image, index=0)["image"]
    np.testing.assert_array_equal(result, expected.numpy(), strict=True)


@pytest.mark.usefixtures("forget")
@BY_MONAI
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_changes_values_as_monais_lambdas_do(function):
    from monai import transforms

    from volaug.integrations.monai import Volaugd

    image, label = random_volume((2, *SHAPE)), random_volume((1, *SHAPE), np.uint8)
    given = {"image": image, "label": label}

    def of_channels(channels):
        return np.stack([function(channel.copy()) for channel in np.asarray(channels)])

    pipeline = Compose([of_values(function)])
    result = Volaugd(["image", "label"], pipeline)(given)
    for theirs in (transforms.Lambdad, transforms.RandLambdad):
        expected = theirs("image", of_channels)(given)
        for name in given:
            np.testing.assert_array_equal(result[name], expected[name])


MATRIX = np.array(
    [[0.9, 0.2, 0.0, 2.0], [-0.1, 1.1, 0.1, -1.5], [0.0, 0.15, 0.95, 0.7], [0, 0, 0, 1]]
)


@pytest.mark.usefixtures("forget")
@BY_MONAI
def test_a_matrix_moves_as_monais_affined_does():
    """Its matrix leads from the result to the image, in voxels from the center: the inverse."""
    from monai.transforms import Affined

    image, label = random_volume((1, *SHAPE)), random_volume((1, *SHAPE), np.uint8)
    theirs = Affined(
        ["image", "label"], affine=np.linalg.inv(MATRIX), mode=["bilinear", "nearest"],
        padding_mode="zeros",
    )  # fmt: skip
    expected = theirs({"image": image, "label": label})
    pipeline = Compose(
        [of_matrix(MATRIX)], seed=0, interpolation={"label": "nearest"},
        mode={"image": "grid-constant", "label": "grid-constant"},
    )  # fmt: skip
    result = pipeline(image=image, label=label, index=0)
    np.testing.assert_allclose(result["image"], expected["image"].numpy(), atol=2e-4)
    assert (result["label"] == expected["label"].numpy()).mean() > 0.999


@pytest.mark.usefixtures("forget")
@BY_TORCHIO
@pytest.mark.parametrize("scales", [(1, 1, 1), (1.2, 0.9, 1.1)])
def test_a_matrix_moves_as_torchios_affine_does(scales):
    """The motion of the image, in mm: it rotates and translates, and then scales."""
    import torch
    import torchio as tio

    image = random_volume((1, *SHAPE))
    affine = np.diag([*SPACING, 1.0])
    degrees, translation = (14, -9, 20), (2.5, -3.0, 1.5)
    theirs = tio.Affine(scales, degrees, translation, default_pad_value=0)
    expected = theirs(tio.ScalarImage(tensor=torch.from_numpy(image), affine=affine))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("ZXY", np.roll(degrees, 1), degrees=True).as_matrix()
    matrix[:3, 3] = translation
    matrix = np.diag([*scales, 1]) @ matrix
    pipeline = Compose([of_matrix(matrix)], seed=0, mode={"image": "edge-constant"})
    result = pipeline(image=image, affine=affine, index=0)["image"]
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-4)


NAMES = ("t1", "t2", "flair", "seg")
CHOSEN = [
    ({}, {"t1", "t2", "flair", "seg"}),
    ({"include": ["flair"]}, {"flair"}),
    ({"include": ["flair", "seg"]}, {"flair", "seg"}),
    ({"exclude": ["flair"]}, {"t1", "t2", "seg"}),
    ({"exclude": ["t1", "seg"]}, {"t2", "flair"}),
]


def subject_of(voxels):
    """TorchIO's subject of images, and of a label map that is named seg."""
    import torch
    import torchio as tio

    return tio.Subject(
        {
            name: (tio.LabelMap if name == "seg" else tio.ScalarImage)(
                tensor=torch.from_numpy(value[np.newaxis].copy()), affine=np.diag([*SPACING, 1.0])
            )
            for name, value in voxels.items()
        }
    )


@BY_TORCHIO
@pytest.mark.slow
@pytest.mark.parametrize(("chosen", "wanted"), CHOSEN)
@pytest.mark.parametrize("kind", ["noise", "blur", "gamma", "affine", "flip"])
def test_a_step_changes_the_targets_that_torchios_changes(kind, chosen, wanted):
    import torchio as tio

    steps = {
        "noise": (RandomNoise(p=1.0, **chosen), tio.RandomNoise(**chosen)),
        "blur": (RandomBlur(p=1.0, **chosen), tio.RandomBlur((1, 2), **chosen)),
        "gamma": (RandomGamma(p=1.0, **chosen), tio.RandomGamma(**chosen)),
        "affine": (RandomAffine(20, p=1.0, **chosen), tio.RandomAffine(degrees=20, **chosen)),
        "flip": (RandomFlip(0, p=1.0, **chosen), tio.RandomFlip(0, 1.0, **chosen)),
    }
    ours, theirs = steps[kind]
    voxels = {name: blob(SHAPE, (4 + k, 8, 9), 3) for k, name in enumerate(NAMES)}
    voxels["seg"] = (voxels["seg"] > 0.5).astype(np.uint8)
    targets = {name: "label" if name == "seg" else "image" for name in NAMES}
    result = Compose([ours], seed=0, targets=targets)(**voxels, index=0)
    expected = theirs(subject_of(voxels))
    if kind not in ("affine", "flip"):
        wanted = wanted - {"seg"}
    for other in (result, {name: image.numpy()[0] for name, image in expected.items()}):
        assert {name for name in NAMES if (other[name] != voxels[name]).any()} == wanted


@BY_TORCHIO
def test_a_blur_of_flair_alone_is_torchios():
    import torchio as tio

    voxels = {name: blob(SHAPE, (9, 10, 13), 2) for name in ("t1", "flair")}
    expected = tio.Blur((1.5, 1.5, 1.5), include=["flair"])(subject_of(voxels))
    step = RandomBlur((1.5, 1.5), p=1.0, include=["flair"])
    pipeline = Compose([step], seed=0, targets=dict.fromkeys(voxels, "image"))
    result = pipeline(**voxels, spacing=SPACING, index=0)
    np.testing.assert_array_equal(result["t1"], expected["t1"].numpy()[0])
    np.testing.assert_array_equal(result["t1"], voxels["t1"])
    inside = (slice(5, -5),) * 3  # borders differ: theirs reflect, and ours mirror
    np.testing.assert_allclose(
        result["flair"][inside], expected["flair"].numpy()[0][inside], atol=1e-3
    )
    assert np.abs(result["flair"] - voxels["flair"]).max() > 0.1


@BY_MONAI
@pytest.mark.slow
def test_all_symmetries_of_a_cube_are_those_that_monai_composes():
    """The same voxels of the image and of its label, to the bit."""
    from monai.transforms import Flipd, Rotate90d

    given = {"image": random_volume((1, 5, 5, 5)), "label": random_volume((1, 5, 5, 5), np.uint8)}

    def bits(sample):
        return tuple(np.ascontiguousarray(sample[name]).tobytes() for name in given)

    generators = [Rotate90d(given, 1, axes) for axes in ((0, 1), (0, 2), (1, 2))]
    generators += [Flipd(given, axis) for axis in range(3)]
    theirs, newest = {bits(given): given}, [given]
    while newest:
        made = [generator(sample) for sample in newest for generator in generators]
        newest = [one for key, one in {bits(s): s for s in made}.items() if key not in theirs]
        theirs |= {bits(sample): sample for sample in newest}
    assert len(theirs) == 48

    pipeline = Compose([RandomCubeSymmetry()], seed=0)
    ours = {bits(pipeline(**given, index=index)) for index in range(600)}
    assert ours == theirs.keys()
    rotations = Compose([RandomCubeSymmetry(False)], seed=0)
    assert len({bits(rotations(**given, index=index)) for index in range(300)}) == 24


@pytest.mark.slow
def test_uniform_rotations_are_distributed_as_scipys():
    """Their angle and axis, by the Kolmogorov-Smirnov test of two samples."""
    theirs = Rotation.random(40_000, random_state=0)
    for step, is_uniform in (
        (RandomRotation("uniform", p=1), True),
        (RandomRotation((0, 180), axis="random", p=1), False),
    ):
        matrices = [drawn([step], SHAPE, index).warp.matrix.T for index in range(2000)]
        found, wanted = (angles_and_axes(r) for r in (Rotation.from_matrix(matrices), theirs))
        for axis in ("x", "y", "z", "longitude"):
            assert stats.ks_2samp(found[axis], wanted[axis]).pvalue > 0.01
        pvalue = stats.ks_2samp(found["angle"], wanted["angle"]).pvalue
        assert pvalue > 0.01 if is_uniform else pvalue < 1e-6


def angles_and_axes(rotations):
    vectors = rotations.as_rotvec()
    angles = np.linalg.norm(vectors, axis=1)
    x, y, z = vectors.T / angles
    return {"angle": angles, "x": x, "y": y, "z": z, "longitude": np.arctan2(y, x)}


# Functions of each voxel alone: moved and brought back, their output is the same.
NETWORKS = {"identity": lambda x: [x], "pointwise": lambda x: [x, 1 - x, x * x]}
DRAWS = 6


@BY_MONAI
@pytest.mark.slow
@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_averages_are_the_networks_own_output_as_monais_are(network, rotates):
    """Those of flips exactly; of rotations, within 0.001 where every draw shows a voxel.

    Linear interpolation costs so little where the image is smooth.
    """
    import torch
    from monai import transforms
    from monai.data import MetaTensor, TestTimeAugmentation

    shape = (40, 44, 48)
    image = blob(shape, (19, 22, 24), 50)
    steps = [RandomFlip(), RandomAffine(8, translation=1, p=1.0 if rotates else 0.0)]
    pipeline, seen = Compose(steps, seed=3), np.ones(shape, bool)
    for occurrence in range(DRAWS):
        seen &= pipeline.draw(shape, index=0, occurrence=occurrence).seen()
    assert seen.mean() > 0.4

    def predict(given):
        return np.stack(network(given))

    mean = average_predictions(pipeline, predict, image, draws=DRAWS, original=False)
    theirs = [transforms.RandFlipd("image", prob=0.5, spatial_axis=axis) for axis in range(3)]
    if rotates:
        options = {"prob": 1.0, "rotate_range": 0.14, "translate_range": 1.0}
        theirs.append(transforms.RandAffined("image", **options, padding_mode="zeros"))
    augmented = TestTimeAugmentation(
        transforms.Compose(theirs).set_random_state(0), 1, nearest_interp=False, progress=False,
        inferrer_fn=lambda batch: torch.cat(network(batch), dim=1), orig_key="image",
    )  # fmt: skip
    _, by_monai, _, _ = augmented({"image": MetaTensor(image[np.newaxis])}, num_examples=DRAWS)
    inside = np.zeros(shape, bool)  # of MONAI's draws, whatever they are
    inside[10:-10, 10:-10, 10:-10] = True
    for found, shown in ((mean, seen), (np.asarray(by_monai), inside)):
        errors = np.abs(found - predict(image))
        assert errors[:, shown].max() < (1e-3 if rotates else 1e-6)
