"""Volumes that are warped together: each as if it were alone, and all or none."""

import itertools

import numpy as np
import pytest

from support.volumes import mild_affine, nan_filled, random_volume
from volaug import Warp
from volaug.threads import parts as pool
from volaug.warping.engine.borders import MODES

SHAPE = (11, 12, 37)


def a_warp(elastic, shape=SHAPE, shift=0.0):
    matrix, offset = mild_affine(SHAPE)
    points = np.random.default_rng(0).normal(0, 1.5, (3, 4, 5, 6)) if elastic else None
    return Warp(shape, matrix, offset + np.array((1.0, -0.5, 2.0 + shift)), points)


def labels(dtype=np.uint8, seed=1):
    return np.random.default_rng(seed).integers(0, 6, SHAPE).astype(dtype)


IMAGE = random_volume(SHAPE)
OTHER = random_volume((11, 12, 36), seed=2)
TOGETHER = {
    "an image and its labels": ({"a": IMAGE, "b": labels()}, {"b": "label"}),
    "linear and nearest": ({"a": IMAGE, "b": random_volume(SHAPE, np.int16)}, {"b": "nearest"}),
    "nearest first": ({"b": labels(), "a": IMAGE}, {"b": "nearest"}),
    "int16 and labels": ({"a": random_volume(SHAPE, np.int16), "b": labels()}, {"b": "label"}),
    "float64 and labels": ({"a": IMAGE.astype(float), "b": labels(np.int64)}, {"b": "label"}),
    "four channels": ({"a": random_volume((4, *SHAPE)), "b": labels()}, {"b": "label"}),
    "labels of channels": ({"a": IMAGE, "b": np.stack([labels(), labels(seed=2)])}, {"b": "label"}),
    "cubic and labels": ({"a": IMAGE, "b": labels()}, {"a": "cubic", "b": "label"}),
    "cubic, linear and nearest": (
        {"a": IMAGE, "b": IMAGE + 1, "c": labels(np.int32)},
        {"a": "cubic", "c": "nearest"},
    ),
    "labels and nearest": ({"a": labels(), "b": labels(seed=3)}, {"a": "label", "b": "nearest"}),
    "another order of memory": ({"a": IMAGE, "b": np.asfortranarray(labels())}, {"b": "label"}),
    "both in another order": (
        {"a": np.asfortranarray(IMAGE), "b": np.asfortranarray(labels())},
        {"b": "nearest"},
    ),
    "reversed": (
        {"a": IMAGE[::-1], "b": labels()[..., ::-1], "c": IMAGE[..., ::-1]},
        {"b": "label"},
    ),
    "strided": ({"a": np.repeat(IMAGE, 2, 2)[..., ::2], "b": labels()}, {"b": "label"}),
    "padded": ({"a": np.pad(IMAGE, 3)[3:-3, 3:-3, 3:-3], "b": IMAGE}, {}),
    "a part of it": ({"a": IMAGE, "b": IMAGE[:-2, :-3, :-5], "c": IMAGE[1:]}, {"c": "nearest"}),
    "other shapes": ({"a": IMAGE, "b": OTHER, "c": labels()}, {"c": "label"}),
    "one voxel": ({"a": IMAGE, "b": IMAGE[:1, :1, :1], "c": IMAGE[:, :1]}, {}),
    "the same one twice": ({"a": IMAGE, "b": IMAGE}, {"b": "nearest"}),
}


def alone(warp, volumes, **options):
    """What `apply` makes of each; an option is a mapping from every name."""
    return {
        name: warp.apply(volume, **{option: given[name] for option, given in options.items()})
        for name, volume in volumes.items()
    }


def assert_same_bits(results, expected):
    assert list(results) == list(expected)
    for name, result in results.items():
        assert result.dtype == expected[name].dtype, name
        assert result.shape == expected[name].shape, name
        assert result.strides == expected[name].strides, name
        assert result.tobytes() == expected[name].tobytes(), name


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("kind", TOGETHER)
@pytest.mark.slow
def test_the_results_are_those_of_apply(kind, elastic, monkeypatch):
    monkeypatch.setattr(pool, "VOXELS_WORTH_A_THREAD", 0)
    volumes, given = TOGETHER[kind]
    warp = a_warp(elastic)
    interpolation = {name: given.get(name, "linear") for name in volumes}
    for mode in MODES:
        mode_of, cval_of = dict.fromkeys(volumes, mode), dict.fromkeys(volumes, 2)
        expected = alone(warp, volumes, interpolation=interpolation, mode=mode_of, cval=cval_of)
        for threads in (1, 3):
            results = warp.apply_all(
                volumes, interpolation=given, mode=mode, cval=2, threads=threads
            )
            assert_same_bits(results, expected)


@pytest.mark.parametrize("modes", list(itertools.permutations(MODES, 2))[::5])
def test_each_has_its_border_and_fill(modes):
    volumes = {"image": random_volume((2, *SHAPE)), "label": labels(), "rest": IMAGE}
    mode = {"image": modes[0], "label": modes[1], "rest": "constant"}
    cval = {"image": (3, np.nan), "label": 5, "rest": 0.0}
    interpolation = {"image": "linear", "label": "label", "rest": "linear"}
    warp = a_warp(True)
    expected = alone(warp, volumes, interpolation=interpolation, mode=mode, cval=cval)
    for options in (mode, cval):
        del options["rest"]  # which is left to its default
    results = warp.apply_all(volumes, interpolation={"label": "label"}, mode=mode, cval=cval)
    assert_same_bits(results, expected)


def test_every_number_of_voxels_outside():
    """Rows of which a part is filled, of all that share the coordinates."""
    volumes = {"a": IMAGE, "b": labels(), "c": random_volume((2, *SHAPE), np.uint8)}
    interpolation = {"a": "linear", "b": "label", "c": "nearest"}
    options = {"mode": dict.fromkeys(volumes, "constant"), "cval": {"a": 7, "b": 8, "c": (9, 10)}}
    for elastic, shift in itertools.product((False, True), (-40, -20.5, -3, 9, 36.5, 200)):
        warp = a_warp(elastic, shift=shift)
        results = warp.apply_all(volumes, interpolation=interpolation, **options)
        assert_same_bits(results, alone(warp, volumes, interpolation=interpolation, **options))


@pytest.mark.parametrize("elastic", [False, True])
def test_out_of_some(elastic):
    """What has an out is returned as it; its order of memory is its own affair."""
    volumes = {"a": IMAGE, "b": labels(), "c": np.asfortranarray(IMAGE), "d": IMAGE + 1, "e": IMAGE}
    warp = a_warp(elastic, (9, 14, 35))
    interpolation = dict.fromkeys(volumes, "linear") | {"b": "label", "d": "cubic"}
    expected = alone(warp, volumes, interpolation=interpolation)
    batch = nan_filled((3, *warp.shape), np.float32)
    out = {
        "a": batch[1],
        "b": np.asfortranarray(nan_filled(warp.shape, np.uint8)),
        "d": nan_filled((*warp.shape[:2], 2 * warp.shape[2]), np.float32)[..., ::2],
        "e": nan_filled(warp.shape, np.float32)[..., ::-1],
    }
    results = warp.apply_all(volumes, interpolation={"b": "label", "d": "cubic"}, out=out)
    assert list(results) == list(volumes)
    for name, given in out.items():
        assert results[name] is given
    for name, result in results.items():
        np.testing.assert_allclose(result, expected[name], atol=3e-6)
    assert np.isnan(batch[[0, 2]]).all()


def test_nothing_and_one():
    warp = a_warp(False)
    assert warp.apply_all({}) == {}
    (result,) = warp.apply_all({"a": IMAGE}, cval=3).values()
    np.testing.assert_array_equal(result, warp.apply(IMAGE, cval=3))


BAD = {
    "dtype": ({"b": IMAGE.astype(complex)}, {}, TypeError, "'b': volume must be of dtype"),
    "shape": ({"b": IMAGE[0, 0]}, {}, ValueError, "'b': volume must have the shape"),
    "interpolation": ({}, {"interpolation": {"b": "cubical"}}, ValueError, "'b': interpolation"),
    "mode": ({}, {"mode": {"b": "edge"}}, ValueError, "'b': mode must be one of.*got 'edge'"),
    "cval": ({}, {"cval": {"b": 256}}, ValueError, "'b': cval must be.*uint8.*got 256"),
    "channels": ({}, {"cval": {"b": (1, 2)}}, ValueError, r"'b': cval must.*1 channels.*\(1, 2\)"),
    "out": ({}, {"out": {"b": np.zeros((2, 2, 2), np.uint8)}}, ValueError, "'b': out must be"),
    "read-only out": (
        {},
        {"out": {"b": np.broadcast_to(np.uint8(0), SHAPE)}},
        ValueError,
        "'b': out must be writeable",
    ),
    "out over its volume": (
        {},
        {"out": {"b": "its volume"}},
        ValueError,
        "out\\['b'\\] must not overlap",
    ),
    "out over another": (
        {},
        {"out": {"b": "another"}},
        ValueError,
        "out\\['[ab]'\\] must not overlap",
    ),
    "an unknown name": ({}, {"cval": {"c": 1}}, ValueError, "cval must be given for 'a', 'b'.*'c'"),
    "an unknown mode's name": ({}, {"mode": {"c": "wrap"}}, ValueError, "mode must be.*'c'"),
    "an unknown out": ({}, {"out": {"c": IMAGE.copy()}}, ValueError, "out must be given.*'c'"),
    "an unknown interpolation": (
        {},
        {"interpolation": {"lable": "label"}},
        ValueError,
        "interpolation must be given for 'a', 'b', got 'lable'",
    ),
    "threads": ({}, {"threads": 0}, ValueError, "threads must be"),
}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_an_error_names_the_volume_and_none_is_written(kind, last):
    volumes, options, error, message = BAD[kind]
    volumes = {"a": IMAGE, "b": labels()} | volumes
    if not last:
        volumes = dict(reversed(volumes.items()))
        message = message.replace("'a', 'b'", "'b', 'a'")
    out = nan_filled(SHAPE, np.float32)
    options = {**options, "out": {"a": out, **options.get("out", {})}}
    if isinstance(options["out"].get("b"), str):
        shared = {"its volume": volumes["b"], "another": out.view(np.uint8)[:, :, :37]}
        options["out"]["b"] = shared[options["out"]["b"]]
    with pytest.raises(error, match=message):
        a_warp(True).apply_all(volumes, **options)
    assert np.isnan(out).all()
