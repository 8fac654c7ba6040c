"""Pipelines as dictionary transforms of MONAI, with an inverse."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform

from .. import checks
from ..pipeline.compose import Compose
from ..pipeline.record import Record
from ..pipeline.targets import KINDS, channels_of
from ..serialization import check_names
from ..warping.geometry.bspline import Floats
from ..warping.geometry.orientation import Reorientation, reorientation
from .monai_tensors import TRACED, affine_of, alike, are_slices, as_grid, targets_for, turns_of

# What all traces of one sample have in common.
DRAWN = ("index", "shape", "channels", "affine")


class Volaugd(RandomizableTransform, MapTransform, InvertibleTransform):  # type: ignore[misc]
    """Draw from a pipeline, and apply the draw to keys of a sample.

    Parameters
    ----------
    keys : str or sequence of str
        Names of the pipeline's targets, which define what is an image, a label, points or boxes.
        Images and labels are channel-first arrays, CPU tensors or MetaTensors; results have the
        same type and dtype. Points (N, 3) and boxes (N, 2, 3) are in voxels; results are float64.
        With slices, (C, H, W), they are (N, 2) and (N, 2, 2).
    pipeline : Compose
        Lengths are in mm by the affine of the first MetaTensor that is an image or a label, else in
        voxels. Draws depend on MONAI's random state, and on the pipeline's seed if it has one. A
        slice (C, H, W) is a volume (C, H, W, 1) to it; spatial steps stay within the plane.
    prob : float, default 1.0
        Probability of applying any of it.
    update_affine : bool, default True
        Whether to update a MetaTensor's affine, like MONAI's own transforms: a rotated image stays
        where it was. Else, like TorchIO's, the content moves and only crops change the affine.
    allow_missing_keys : bool, default False
        Whether a sample may lack keys.

    Raises
    ------
    TypeError
        If `pipeline` is not a `Compose`.
    ValueError
        If a key is not a target of the pipeline.

    Notes
    -----
    The MetaTensors of a sample lie in one grid. If the axes of one have another order or direction,
    it is brought into the grid of the first, and back by `inverse`; anything else is an error.

    Examples
    --------
    >>> transform = Volaugd(["image"], volaug.Compose([volaug.RandomFlip(0, p=1.0)]))
    >>> sample = transform({"image": MetaTensor(np.arange(8).reshape(1, 8, 1, 1))})
    >>> sample["image"].flatten().tolist()
    [7, 6, 5, 4, 3, 2, 1, 0]
    >>> transform.inverse(sample)["image"].flatten().tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
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
        check_names("target of the pipeline", self.keys, self.kinds)
        # a seed from the operating system would be another one in the next run
        self.pipeline = replace(pipeline, seed=0) if pipeline.seed is None else pipeline
        self.update_affine = update_affine

    def randomize(self, data: Any = None) -> None:
        """Draw whether to apply it, and the index of the pipeline's key."""
        super().randomize(None)
        self._index = int(self.R.randint(2**53, dtype=np.int64))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Augment a sample.

        Returns
        -------
        dict
            A new dict; nothing is written to `data`. The `applied_operations` of MetaTensors
            identify the draw; see `record_of`.

        Raises
        ------
        KeyError
            If a key is missing.
        TypeError, ValueError
            If the pipeline refuses a target, or MetaTensors do not lie in one grid.
        """
        results = dict(data)
        given = {name: data[name] for name in self.key_iterator(data)}
        if not given:
            return results
        flat = are_slices({n: np.shape(v) for n, v in given.items() if self._has_voxels(n)})
        placed = self._placed(given)
        turns = turns_of(placed)
        inputs = {
            name: self._as_input(name, value, flat, turns.get(name))
            for name, value in given.items()
        }
        self.randomize()
        affine = next(map(affine_of, placed.values()), None)
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
        """Map results, or predictions in their place, back by `Record.invert`.

        Parameters
        ----------
        data : mapping
            Sample with one MetaTensor at least; arrays and tensors are mapped with it.

        Returns
        -------
        dict
            A new dict.

        Raises
        ------
        KeyError, TypeError, ValueError, RuntimeError
            If a key is missing, there is no MetaTensor, or one is not from this transform.
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
        flat = are_slices({n: np.shape(v) for n, v in given.items() if self._has_voxels(n)})
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
        """Return the draw of a MetaTensor whose last transform was this one.

        It is drawn again, by the pipeline that drew it.

        Parameters
        ----------
        tensor : MetaTensor
            A result, or one of a batch that `decollate_batch` has split.

        Returns
        -------
        Record or None
            None if nothing was applied, as `prob` is less than 1.

        Raises
        ------
        ValueError, RuntimeError
            If the tensor is not from this transform.
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

    def _placed(self, given: Mapping[Hashable, Any]) -> dict[Hashable, MetaTensor]:
        """Return the images and labels that are MetaTensors."""
        return {
            name: value
            for name, value in given.items()
            if self._has_voxels(name) and isinstance(value, MetaTensor)
        }

    def _as_input(
        self, name: Hashable, value: Any, flat: bool, turn: Reorientation | None = None
    ) -> Any:
        """Return the pipeline's input: a slice as a volume, in the grid of the first MetaTensor."""
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
        """Return a result of the pipeline, as a slice if it was one."""
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
        """Return the shape and channels on which a draw depends."""
        volumes = {str(name): value for name, value in inputs.items() if self._has_voxels(name)}
        return {
            "shape": next((tuple(value.shape[-3:]) for value in volumes.values()), ()),
            "channels": channels_of(volumes, self.pipeline.table),
        }

    def _pull(
        self, name: Hashable, record: Record | None, trace: Mapping[str, Any]
    ) -> Floats | None:
        """Return the matrix from voxels of a result to its input's that affines follow."""
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
