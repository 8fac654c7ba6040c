"""Images and labels that some cases lack: what takes their place, and what says so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..pipeline.record import Sample
from ..pipeline.targets import Target
from ..serialization import check_names
from .batches import PRESENT, Form, form_of
from .cases import Case, CaseError, OpenCase

Array = npt.NDArray[Any]


class Blank:
    """A volume of zeros that is sliced like an array, and takes no memory."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        shape = np.broadcast_to(np.zeros(()), self.shape)[window].shape
        return np.zeros(shape, self.dtype)


def as_optional(given: Any, table: Mapping[str, Target]) -> tuple[str, ...]:
    """The names of the images and labels that cases may lack.

    Raises
    ------
    TypeError
        If they are not in a list.
    ValueError
        If one is no image or label of the pipeline, or the key that says where it is present is
        the name of another target.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"optional must be a list of names of images and labels, got {given!r}")
    names = tuple(dict.fromkeys(given))
    voxels = [name for name, target in table.items() if target.has_voxels]
    check_names("image or label of optional", names, voxels)
    for name in names:
        if PRESENT.format(name) in table:
            raise ValueError(
                f"{name!r} cannot be optional, since {PRESENT.format(name)!r} is a target as well"
            )
    return names


def optional_forms(
    names: Sequence[str], cases: Sequence[Case], table: Mapping[str, Target]
) -> dict[str, Form]:
    """The dtype and channels of optional targets, from the first case that has each.

    Cases are opened until all are found.

    Raises
    ------
    CaseError
        If a case cannot be opened.
    ValueError
        If no case has one of them.
    """
    forms: dict[str, Form] = {}
    for number, case in enumerate(cases):
        if len(forms) == len(names):
            break
        try:
            volumes = case.open().volumes
        except Exception as error:
            raise CaseError.of(error, number) from error
        for name in names:
            if name in volumes:
                forms.setdefault(name, form_of(table[name].kind, volumes[name]))
    missing = [name for name in names if name not in forms]
    if missing:
        raise ValueError(f"{missing[0]!r} is optional, but one case must have it, and none has")
    return forms


def completed(opened: OpenCase, forms: Mapping[str, Form]) -> OpenCase:
    """A case in which blank volumes take the place of the optional targets that it lacks."""
    blanks = {
        name: Blank((form.channels, *opened.shape), form.dtype)
        for name, form in forms.items()
        if name not in opened.volumes
    }
    return opened._replace(volumes={**opened.volumes, **blanks}) if blanks else opened


def without_blank_images(
    volumes: Mapping[str, Array], opened: OpenCase, forms: Mapping[str, Form]
) -> dict[str, Array]:
    """The volumes to augment. Steps such as `Normalize` refuse an image of zeros."""
    return {
        name: volume
        for name, volume in volumes.items()
        if not (_is_blank(opened, name) and forms[name].kind == "image")
    }


def mark_presence(
    sample: Sample, opened: OpenCase, names: Iterable[str], out: Mapping[str, Any]
) -> None:
    """Say in a sample which optional targets its case has, and set the others to 0.

    Parameters
    ----------
    out : mapping from names to (C, n0, n1, n2) arrays
        Where the sample's volumes lie.
    """
    for name in names:
        is_blank = _is_blank(opened, name)
        if is_blank:
            found = sample.setdefault(name, out[name])
            for level in found if isinstance(found, list) else [found]:
                level[...] = 0
        sample[PRESENT.format(name)] = not is_blank


def _is_blank(opened: OpenCase, name: str) -> bool:
    return isinstance(opened.volumes[name], Blank)
