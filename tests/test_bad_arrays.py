"""Arrays and tensors whose memory is not what it seems are refused: masked, overlapping, lazy."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.lib.stride_tricks import as_strided

from volaug import (
    Compose,
    RandomFlip,
    RandomScaling,
    Warp,
    affine_transform,
    elastic_deform,
    spline_filter,
)

VOLUME = np.zeros((4, 5, 6), np.float32)
EYE = np.eye(3)


def masked(shape):
    return np.ma.array(np.zeros(shape, np.float32), mask=np.ones(shape, bool))


def test_a_mask_is_never_dropped():
    warp = Warp((4, 5, 6))
    calls = [
        lambda: affine_transform(masked((4, 5, 6)), EYE),
        lambda: affine_transform(VOLUME, EYE, out=masked((4, 5, 6))),
        lambda: affine_transform(VOLUME, masked((3, 3))),
        lambda: affine_transform(VOLUME, EYE, masked(3)),
        lambda: affine_transform(VOLUME, EYE, cval=masked(1)),
        lambda: elastic_deform(VOLUME, masked((3, 4, 4, 4))),
        lambda: warp.apply_all({"a": VOLUME}, out={"a": masked((4, 5, 6))}),
        lambda: warp.points_to_input(masked((2, 3))),
        lambda: warp.boxes_to_output(masked((2, 2, 3))),
        lambda: spline_filter(masked((4, 5, 6))),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="without a mask, got a masked array: give its filled"):
            call()


@given(
    shape=st.tuples(*[st.integers(1, 4)] * 3),
    strides=st.tuples(*[st.integers(-9, 9)] * 3),
)
@settings(max_examples=300, deadline=None)
@pytest.mark.slow
def test_an_out_that_overlaps_itself_is_refused(shape, strides):
    """Just those in which two voxels have one place, by all addresses."""
    base = np.zeros(200, np.float32)
    view = as_strided(base[100:], shape, [4 * s for s in strides])
    places = {np.dot(strides, voxel) for voxel in np.ndindex(*shape)}
    volume = np.ones(shape, np.float32)
    if len(places) == volume.size:
        affine_transform(volume, EYE, out=view)
        assert (view == 1).all()
    else:
        with pytest.raises(ValueError, match="out must have a place for each voxel"):
            affine_transform(volume, EYE, out=view)
        assert (base == 0).all()


def tensors():
    import torch

    warnings.filterwarnings("ignore", category=UserWarning, message=".*quantize_per_tensor")
    return {
        "detach": lambda *shape: torch.ones(*shape, requires_grad=True),
        "float": lambda *shape: torch.ones(*shape, dtype=torch.bfloat16),
        "a meta tensor holds no": lambda *shape: torch.ones(*shape, device="meta"),
        "to_dense": lambda *shape: torch.ones(*shape).to_sparse(),
        "dequantize": lambda *shape: torch.quantize_per_tensor(
            torch.ones(*shape), 1.0, 0, torch.qint8
        ),
    }


@pytest.mark.oracle("torch")
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize(
    "what", ["detach", "float", "a meta tensor holds no", "to_dense", "dequantize"]
)
def test_tensors_without_numbers_at_hand_say_what_to_do(what):
    tensor = tensors()[what]
    warp, pipeline = Warp((4, 5, 6)), Compose([], seed=0)
    calls = [
        lambda: affine_transform(tensor(4, 5, 6), EYE),
        lambda: affine_transform(VOLUME, tensor(3, 3)),
        lambda: affine_transform(VOLUME, EYE, tensor(3)),
        lambda: affine_transform(VOLUME, EYE, cval=tensor(1)),
        lambda: elastic_deform(VOLUME, tensor(3, 4, 4, 4)),
        lambda: Warp((4, 5, 6), tensor(3, 3)),
        lambda: warp.points_to_input(tensor(2, 3)),
        lambda: warp.boxes_to_output(tensor(2, 2, 3)),
        lambda: pipeline.draw((4, 5, 6), spacing=tensor(3), index=0),
        lambda: pipeline.draw((4, 5, 6), affine=tensor(4, 4), index=0),
        lambda: pipeline(image=tensor(4, 5, 6), index=0),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=f"must be an array in the .* got Tensor .*{what}"):
            call()
    calls = [
        lambda: affine_transform(VOLUME, EYE, output_shape=tensor(3)),
        lambda: Warp(tensor(3)),
        lambda: pipeline.draw(tensor(3), index=0),
        lambda: RandomScaling(tensor(3)),
        lambda: RandomFlip(tensor(3)),
        lambda: Compose([], seed=tensor(1)),
        lambda: affine_transform(VOLUME, EYE, threads=tensor(1)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"must be .*number.*, got "):
            call()


@pytest.mark.oracle("torch")
def test_tensors_that_are_negated_lazily():
    import torch

    lazy = torch.randn(4, 5, 6, dtype=torch.complex64).conj().imag
    assert lazy.is_neg()
    resolved = lazy.resolve_neg().numpy()
    np.testing.assert_array_equal(affine_transform(lazy, EYE), resolved)
    before = resolved.copy()
    for call in (
        lambda: affine_transform(VOLUME, EYE, out=lazy),
        lambda: Warp((4, 5, 6)).apply_all({"a": VOLUME}, out={"a": lazy}),
        lambda: Compose([], seed=0)(image=VOLUME, out={"image": lazy}, index=0),
    ):
        with pytest.raises(ValueError, match="negates its memory: give an out of its own"):
            call()
    np.testing.assert_array_equal(lazy.resolve_neg().numpy(), before)
