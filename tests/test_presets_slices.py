"""nnU-Net's presets move nothing from slice to slice where slices are far apart."""

import numpy as np
import pytest

from support.preset_samples import NNUNETS
from volaug.transforms.low_resolution import LowResolution


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("given", [{}, {"dummy_2d": True}, {"slice_axis": True}], ids=str)
@pytest.mark.parametrize("preset", NNUNETS)
@pytest.mark.slow
def test_dummy_2d_moves_nothing_from_slice_to_slice(preset, given, axis):
    """Wherever the short axis stands, and of a cube by `slice_axis`."""
    slices = 20 if "slice_axis" in given else 6
    if "slice_axis" in given:
        given = {"slice_axis": axis, "dummy_2d": True}
    shape, patch = np.full(3, 64), np.full(3, 20)
    shape[axis] = patch[axis] = slices
    others = tuple(other for other in range(3) if other != axis)
    image = np.expand_dims(np.arange(1, slices + 1, dtype=np.float32), others)
    image = np.broadcast_to(image, shape)
    window = tuple(slice(0, length) for length in patch)
    pipeline, resampled = preset(patch, mirror_axes=others, seed=0, **given), 0
    for index in range(30):
        record = pipeline.draw(tuple(shape.tolist()), index=index)
        warp = record.warp
        np.testing.assert_allclose(warp.apply(image), image[window], rtol=1e-6)
        resampled += not np.isin(warp.matrix, (-1, 0, 1)).all() or warp.control_points is not None
        for _, operation in record.steps:
            if isinstance(operation, LowResolution):
                scales = np.array(operation.resolution).reshape(-1, 3)
                assert (scales[:, axis] == 1).all()
    assert resampled > 5


@pytest.mark.parametrize("preset", NNUNETS)
@pytest.mark.slow
def test_dummy_2d_turns_by_up_to_180_degrees_about_the_slice_axis(preset):
    for axis, patch in enumerate([(20, 256, 256), (256, 20, 256), (256, 256, 20)]):
        pipeline = preset(patch, seed=0)
        steps = [step for i in range(300) for step in pipeline.draw(patch, index=i).steps]
        turns = [o.degrees for name, o in steps if name == "RandomRotation"]
        angles = np.abs(turns).max(axis=0)
        assert angles[axis] > 150
        assert np.count_nonzero(angles) == 1


@pytest.mark.parametrize("preset", NNUNETS)
def test_dummy_2d_is_for_slices_that_are_far_apart(preset):
    for patch in ((5, 16, 12), (16, 5, 12), (12, 16, 5)):
        axis = patch.index(5)
        assert preset(patch) == preset(patch, dummy_2d=True)
        assert preset(patch) == preset(patch, dummy_2d=True, slice_axis=axis)
        assert preset(patch) != preset(patch, dummy_2d=False)
        # nnU-Net's rule for an axis that is not the short one
        assert preset(patch, slice_axis=(axis + 1) % 3) == preset(patch, dummy_2d=False)
    for patch in ((5, 15, 15), (15, 5, 15), (15, 15, 5)):
        assert preset(patch) == preset(patch, dummy_2d=False)
        assert preset(patch, dummy_2d=True) != preset(patch)
    assert preset(16, dummy_2d=True, slice_axis=0) != preset(16)
    assert preset((1, 64, 256)) == preset((1, 64, 256), slice_axis=0)


@pytest.mark.parametrize(
    ("patch", "options"),
    [
        ((20, 20, 256), {}),
        ((20, 256, 20), {}),
        ((256, 24, 20), {}),
        ((20, 20, 256), {"dummy_2d": True}),
        ((16, 16, 16), {"dummy_2d": True}),
        ((32, 16, 16), {"dummy_2d": True}),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_patch_that_does_not_show_its_slices_is_refused(preset, patch, options):
    with pytest.raises(ValueError, match=r"slice_axis must be given .*similar in length, got None"):
        preset(patch, **options)
    pipelines = [preset(patch, slice_axis=axis, **options) for axis in range(3)]
    assert pipelines[0] != pipelines[1] != pipelines[2]
    preset(patch, dummy_2d=False)
