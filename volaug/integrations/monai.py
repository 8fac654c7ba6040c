"""Pipelines as dictionary transforms of MONAI, which can be undone."""

from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, get_track_meta
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform

from ..geometry.bspline import Floats
from ..operations.spatial import Crop
from ..pipeline import Compose
from ..plain import check_known
from ..record import Record
from ..targets import KINDS
from .torch import as_tensors


class Volaugd(RandomizableTransform, MapTransform, InvertibleTransform):  # type: ignore[misc]
    """Draw from a pipeline, and do it to some keys of a sample.

    Parameters
    ----------
    keys : str or sequence of str
        Names of the pipeline's targets, which says what is an image, a label, points or boxes.
        Images and labels are channel-first arrays, tensors in the processor's memory or
        MetaTensors, and the results are of the same type and dtype. Points (N, 3) and boxes
        (N, 2, 3) are in voxels, and their results float64.
    pipeline : Compose
        Lengths are in mm, by the affine of the first image or label that is a MetaTensor; without
        one they are in voxels. What is drawn depends on MONAI's random state, and on the
        pipeline's seed if it has one.
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
        self.randomize()
        affine = self._affine_of(given)
        done, record = given, None
        if self._do_transform:
            done = self.pipeline(**given, affine=affine, index=self._index)
            record = done.record
        # of these `record_of` draws the record anew: in 0.1 ms, where its JSON takes 0.5
        drawn = {"index": self._index, **self._grid_of(given)}
        if affine is not None:
            drawn["affine"] = np.asarray(affine).copy()
        for name, value in given.items():
            result = results[name] = alike(done[name], value)
            if isinstance(result, MetaTensor):
                self.push_transform(
                    result,
                    orig_size=tuple(value.shape[1:]),
                    affine=self._pull(name, record),
                    extra_info=drawn,
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
        traced = [value for value in given.values() if isinstance(value, MetaTensor)]
        records = {str(self.get_most_recent_transform(v)["extra_info"]): v for v in traced}
        if len(records) != 1:
            raise ValueError(
                f"of {', '.join(map(repr, given))} one at least must be a MetaTensor, and all of "
                f"one sample, got {len(records)} records"
            )
        record = self.record_of(traced[0])
        done = record.invert(**given) if record else given
        for name, value in given.items():
            result = results[name] = alike(done[name], value)
            if isinstance(result, MetaTensor):
                self.pop_transform(result)
                pull = self._pull(name, record)
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
        n0, n1, n2 = (int(length) for length in drawn["shape"])
        return self.pipeline.draw(
            (n0, n1, n2),
            affine=drawn.get("affine"),
            channels=int(drawn["channels"]),
            index=int(drawn["index"]),
        )

    def _grid_of(self, given: Mapping[Hashable, Any]) -> dict[str, Any]:
        """What a draw depends on, as the pipeline's call sees it."""
        volumes = {name: value for name, value in given.items() if self._has_voxels(name)}
        images = (value for name, value in volumes.items() if self.kinds[str(name)] == "image")
        return {
            "shape": next((tuple(value.shape[-3:]) for value in volumes.values()), ()),
            "channels": max((len(v) if v.ndim == 4 else 1 for v in images), default=1),
        }

    def _affine_of(self, given: Mapping[Hashable, Any]) -> Any:
        volumes = (value for name, value in given.items() if self._has_voxels(name))
        return next((value.affine for value in volumes if isinstance(value, MetaTensor)), None)

    def _pull(self, name: Hashable, record: Record | None) -> Floats | None:
        """From voxels of a result to those of what it was made of: the part that affines follow."""
        if record is None or not self._has_voxels(name):
            return None
        if self.update_affine:
            return record.pull_matrix
        starts = [step.start for _, step in record.steps if isinstance(step, Crop)]
        pull = np.eye(4)
        pull[:3, 3] = np.sum([(0, 0, 0), *starts], axis=0)
        return pull

    def _has_voxels(self, name: Any) -> bool:
        return self.kinds[name] in ("image", "label")


def alike(result: Any, given: Any) -> Any:
    """A result as what it was made of is: a MetaTensor with a copy of its metadata, say."""
    if not isinstance(given, torch.Tensor):
        return result
    plain = isinstance(result, torch.Tensor)
    tensor = result.as_subclass(torch.Tensor) if plain else as_tensors(result)
    if isinstance(given, MetaTensor) and isinstance(tensor, torch.Tensor) and get_track_meta():
        tensor = MetaTensor(tensor)
        # not its own `copy_meta_from`, which leaves nested ones shared: MONAI writes to "pixdim"
        tensor.__dict__ = deepcopy(given.__dict__)
    return tensor
