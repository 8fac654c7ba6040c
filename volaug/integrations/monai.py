"""Pipelines as dictionary transforms of MONAI, which can be undone."""

from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, get_track_meta
from monai.data.utils import to_affine_nd
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform

from .. import checks
from ..pipeline.compose import Compose
from ..pipeline.record import Record
from ..pipeline.targets import KINDS, Target, channels_of
from ..serialization import check_known
from ..warping.geometry.bspline import Floats
from ..warping.geometry.orientation import Reorientation, reorientation
from .torch import as_tensors

# How a trace says that a target is resampled, in MONAI's words: `Invertd` writes another over it.
# The vote makes no value that is not there before, which is what "nearest" is asked for.
TRACED = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest", "label": "nearest"}

# What all traces of one sample have in common.
DRAWN = ("index", "shape", "channels", "affine")

# What those words, and orders of splines, mean where an inverse is asked for them.
ASKED = {
    "nearest": "nearest", "nearest-exact": "nearest", "linear": "linear", "bilinear": "linear",
    "trilinear": "linear", "area": "linear", "bicubic": "cubic", 0: "nearest", 1: "linear",
    3: "cubic",
}  # fmt: skip


class Volaugd(RandomizableTransform, MapTransform, InvertibleTransform):  # type: ignore[misc]
    """Draw from a pipeline, and do it to some keys of a sample.

    Parameters
    ----------
    keys : str or sequence of str
        Names of the pipeline's targets, which says what is an image, a label, points or boxes.
        Images and labels are channel-first arrays, tensors in the processor's memory or
        MetaTensors, and the results are of the same type and dtype. Points (N, 3) and boxes
        (N, 2, 3) are in voxels, and their results float64. Of slices, (C, H, W), they are (N, 2)
        and (N, 2, 2).
    pipeline : Compose
        Lengths are in mm, by the affine of the first image or label that is a MetaTensor; without
        one they are in voxels. What is drawn depends on MONAI's random state, and on the
        pipeline's seed if it has one. A slice (C, H, W) is to it a volume (C, H, W, 1), within
        the plane of which all spatial steps stay.
    prob : float
        How likely any of it happens.
    update_affine : bool
        Whether a MetaTensor's affine goes along, as with MONAI's own transforms: a turned image
        then lies where it was. Otherwise the content moves and the affine stays, as with
        TorchIO's; but that of a crop, whose voxels stay where they were.
    allow_missing_keys : bool
        Whether a sample may lack some of them.

    Raises
    ------
    TypeError, ValueError
        Saying what was wanted and what was given.

    Notes
    -----
    The MetaTensors of a sample lie in one grid. One whose axes have another order or direction
    is brought into the grid of the first, and back by `inverse`; anything else is an error.

    Examples
    --------
    >>> pipeline = volaug.Compose([RandomAffine(p=1.0), RandomElastic(p=0.3)])
    >>> steps = [LoadImaged(keys, ensure_channel_first=True), Volaugd(keys, pipeline)]
    >>> transform = Compose(steps).set_random_state(7)
    >>> sample = transform({"image": "t1.nii.gz", "label": "tissues.nii.gz"})
    >>> back = transform.inverse(sample)["label"]
    """

    def __init__(
        self,
        keys: Any,
        pipeline: Compose,
        prob: float = 1.0,
        update_affine: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if not isinstance(pipeline, Compose):
            raise TypeError(f"pipeline must be a volaug.Compose, got {type(pipeline).__name__}")
        self.kinds = {kind: kind for kind in KINDS} | dict(pipeline.targets)
        check_known("target of the pipeline", self.keys, self.kinds)
        # a seed from the operating system would be another one in the next run
        self.pipeline = replace(pipeline, seed=0) if pipeline.seed is None else pipeline
        self.update_affine = update_affine

    def randomize(self, data: Any = None) -> None:
        """Draw whether anything happens, and the index of the pipeline's key."""
        super().randomize(None)
        self._index = int(self.R.randint(2**53, dtype=np.int64))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Augment a sample.

        Returns
        -------
        dict
            A new one. Nothing is written to what `data` holds. MetaTensors have among their
            `applied_operations` which draw it was; see `record_of`.

        Raises
        ------
        KeyError, TypeError, ValueError
            Saying what was wanted and what was given.
        """
        results = dict(data)
        given = {name: data[name] for name in self.key_iterator(data)}
        if not given:
            return results
        flat = self._is_slice(given)
        turns = self._turns(given)
        inputs = {
            name: self._as_input(name, value, flat, turns.get(name))
            for name, value in given.items()
        }
        self.randomize()
        affine = self._affine_of(given)
        done, record = inputs, None
        if self._do_transform:
            done = self.pipeline(**inputs, affine=affine, index=self._index)
            record = done.record
        # of these `record_of` draws the record anew: in 0.1 ms, where its JSON takes 0.5
        drawn = {"index": self._index, **self._grid_of(inputs)}
        if affine is not None:
            drawn["affine"] = affine.copy()
        for name, value in given.items():
            result = results[name] = alike(self._as_result(name, done[name], flat), value)
            if isinstance(result, MetaTensor):
                extra = dict(drawn)
                if self._has_voxels(name):
                    extra["mode"] = TRACED[self.pipeline.table[str(name)].interpolation]
                if name in turns:
                    extra["own_affine"] = affine_of(value)
                self.push_transform(
                    result,
                    orig_size=tuple(value.shape[1:]),
                    affine=self._pull(name, record, extra),
                    extra_info=extra,
                )
        return results

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring results, or predictions in their place, back by `Record.invert`.

        Parameters
        ----------
        data : mapping
            Of the keys that it has, MetaTensors know what was done to them; arrays and tensors
            go back with those.

        Returns
        -------
        dict
            A new one.

        Raises
        ------
        KeyError, TypeError, ValueError, RuntimeError
            Also MONAI's, if a MetaTensor does not come from this transform.
        """
        results = dict(data)
        given = {name: data[name] for name in self.key_iterator(data)}
        if not given:
            return results
        traces = {
            name: self.get_most_recent_transform(value)["extra_info"]
            for name, value in given.items()
            if isinstance(value, MetaTensor)
        }
        draws = {str({n: v for n, v in t.items() if n in DRAWN}) for t in traces.values()}
        if len(draws) != 1:
            raise ValueError(
                f"of {', '.join(map(repr, given))} one at least must be a MetaTensor, and all of "
                f"one sample, got {len(draws)} records"
            )
        record = self.record_of(given[next(iter(traces))])
        flat = self._is_slice(given)
        done = {name: self._as_input(name, value, flat) for name, value in given.items()}
        if record:
            asked = {str(n): t["mode"] for n, t in traces.items() if "mode" in t}
            targets = targets_for(record.targets, asked, done)
            done = replace(record, targets=targets).invert(**done)
        for name, value in given.items():
            trace = traces.get(name, {})
            back = done[name]
            if "own_affine" in trace:
                own = as_grid(self.get_most_recent_transform(value)["orig_size"])
                first = as_grid(trace["shape"]), trace["affine"]
                back = reorientation(own, trace["own_affine"], *first).apply(np.asarray(back))
            result = results[name] = alike(self._as_result(name, back, flat), value)
            if isinstance(result, MetaTensor):
                self.pop_transform(result)
                pull = self._pull(name, record, trace)
                push = None if pull is None else np.linalg.inv(pull)
                with self.trace_transform(False):  # the affine alone
                    self.push_transform(result, affine=push)
        return results

    def record_of(self, tensor: MetaTensor) -> Record | None:
        """What was drawn for a MetaTensor that this transform changed after all others.

        It is drawn again, by the pipeline that drew it.

        Parameters
        ----------
        tensor : MetaTensor
            A result, or one of a batch that `decollate_batch` has taken apart.

        Returns
        -------
        Record or None
            None if nothing was done, as `prob` is less than 1.

        Raises
        ------
        ValueError, RuntimeError
            MONAI's, if it does not come from this transform.
        """
        trace = self.get_most_recent_transform(tensor)
        if not trace["do_transforms"]:
            return None
        drawn = trace["extra_info"]
        return self.pipeline.draw(
            as_grid(drawn["shape"]),
            affine=drawn.get("affine"),
            channels={str(name): int(count) for name, count in drawn["channels"].items()} or 1,
            index=int(drawn["index"]),
        )

    def _is_slice(self, given: Mapping[Hashable, Any]) -> bool:
        """Whether the images and labels are slices (C, H, W), and not volumes."""
        shapes = {n: tuple(np.shape(v)) for n, v in given.items() if self._has_voxels(n)}
        listed = ", ".join(f"{name!r} {shape}" for name, shape in shapes.items())
        axes = set(map(len, shapes.values()))
        if len(axes) > 1 or not axes <= {3, 4}:
            raise ValueError(
                "images and labels must all have the axes (C, H, W) or all (C, H, W, D), "
                f"got the shapes {listed}"
            )
        return axes == {3}

    def _turns(self, given: Mapping[Hashable, Any]) -> dict[Hashable, Reorientation]:
        """How MetaTensors are turned that do not lie in the grid of the first."""
        placed = [
            (name, as_grid(value.shape[1:]), affine_of(value))
            for name, value in given.items()
            if self._has_voxels(name) and isinstance(value, MetaTensor)
        ]
        turns = {}
        for name, shape, affine in placed[1:]:
            first, first_shape, first_affine = placed[0]
            try:
                turn = reorientation(first_shape, first_affine, shape, affine)
            except ValueError as error:
                raise ValueError(f"{first!r} and {name!r} must lie in one grid: {error}") from None
            if not turn.is_identity:
                turns[name] = turn
        return turns

    def _as_input(
        self, name: Hashable, value: Any, flat: bool, turn: Reorientation | None = None
    ) -> Any:
        """What the pipeline is given: a slice as a volume, in the grid of the first MetaTensor."""
        if not flat and turn is None:
            return value
        array = checks.as_array(str(name), value)
        if flat and self._has_voxels(name):
            array = array[..., np.newaxis]
        elif flat:
            if array.shape == (0,):  # an empty list: none
                array = array.reshape((0, 2) if self.kinds[str(name)] == "points" else (0, 2, 2))
            if array.ndim < 2 or array.shape[-1] != 2:
                raise ValueError(
                    f"{name!r} must be of shape (N, 2) or (N, 2, 2), as the images are slices, "
                    f"got {array.shape}"
                )
            array = np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, 1)])
        return array if turn is None else turn.apply(array)

    def _as_result(self, name: Hashable, result: Any, flat: bool) -> Any:
        """What the pipeline gives, as of a slice if it was one."""
        if not flat:
            return result
        if isinstance(result, list):
            return [self._as_result(name, level, flat) for level in result]
        if not self._has_voxels(name):
            return result[..., :2]
        if result.shape[-1] != 1:
            raise ValueError(
                "of a slice the pipeline must make a slice (C, H, W, 1), as by CenterCrop((H, W, 1)"
                f"), got {result.shape} for {name!r}"
            )
        return result[..., 0]

    def _grid_of(self, inputs: Mapping[Hashable, Any]) -> dict[str, Any]:
        """What a draw depends on, as the pipeline's call sees it."""
        volumes = {str(name): value for name, value in inputs.items() if self._has_voxels(name)}
        return {
            "shape": next((tuple(value.shape[-3:]) for value in volumes.values()), ()),
            "channels": channels_of(volumes, self.pipeline.table),
        }

    def _affine_of(self, given: Mapping[Hashable, Any]) -> Floats | None:
        volumes = (value for name, value in given.items() if self._has_voxels(name))
        return next((affine_of(v) for v in volumes if isinstance(v, MetaTensor)), None)

    def _pull(
        self, name: Hashable, record: Record | None, trace: Mapping[str, Any]
    ) -> Floats | None:
        """From voxels of a result to those of what it was made of: the part that affines follow."""
        turn = None
        if "own_affine" in trace:
            turn = np.linalg.inv(trace["own_affine"]) @ trace["affine"]
        if record is None or not self._has_voxels(name):
            return turn
        if self.update_affine:
            pull = record.pull_matrix
        else:
            pull = np.eye(4)
            pull[:3, 3] = record.crop_start
        return pull if turn is None else turn @ pull

    def _has_voxels(self, name: Any) -> bool:
        return self.kinds[name] in ("image", "label")


def as_grid(shape: Any) -> tuple[int, int, int]:
    """A shape of three axes, also of a slice."""
    n0, n1, n2 = (*map(int, shape), 1)[:3]
    return n0, n1, n2


def affine_of(tensor: MetaTensor) -> Floats:
    """The (4, 4) matrix from voxels to mm, also of a slice that has a (3, 3) one."""
    return checks.as_world(to_affine_nd(3, np.asarray(tensor.affine, np.float64)))


def targets_for(
    targets: Mapping[str, Target], asked: Mapping[str, Any], given: Mapping[Hashable, Any]
) -> dict[str, Target]:
    """Targets that are resampled as some traces ask, with a fill for each channel given."""
    found = dict(targets)
    for name, mode in asked.items():
        mode = mode[0] if isinstance(mode, list | tuple) else mode  # `Invertd` makes lists of lists
        if mode not in ASKED:
            raise ValueError(f"mode must be one of {', '.join(map(repr, ASKED))}, got {mode!r}")
        if ASKED[mode] != ASKED[TRACED[found[name].interpolation]]:  # else it is as it was
            found[name] = replace(found[name], interpolation=ASKED[mode])
    for name, target in found.items():
        # a prediction may have other channels than the image had
        fills = target.cval
        if name in given and isinstance(fills, list) and len(fills) != len(given[name]):
            found[name] = replace(target, cval=0.0)
    return found


def alike(result: Any, given: Any) -> Any:
    """A result as what it was made of is: a MetaTensor with a copy of its metadata, say."""
    if not isinstance(given, torch.Tensor):
        return np.ascontiguousarray(result) if isinstance(result, np.ndarray) else result
    if isinstance(result, torch.Tensor):
        tensor = result.as_subclass(torch.Tensor).contiguous()
    elif isinstance(result, np.ndarray):
        tensor = as_tensors(np.ascontiguousarray(result))  # torch has no negative strides
    else:
        tensor = as_tensors(result)
    if isinstance(given, MetaTensor) and isinstance(tensor, torch.Tensor) and get_track_meta():
        tensor = MetaTensor(tensor)
        # not its own `copy_meta_from`, which leaves nested ones shared: MONAI writes to "pixdim"
        tensor.__dict__ = deepcopy(given.__dict__)
    return tensor
