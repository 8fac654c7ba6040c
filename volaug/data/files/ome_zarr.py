"""What OME-Zarr says of an image: where its level of full resolution is, and where it lies."""

from typing import Any, NamedTuple

import numpy as np

from ...warping.geometry.bspline import Floats

# Units of length in mm. Without a unit, mm are meant.
MILLIMETERS = {"meter": 1e3, "centimeter": 10.0, "millimeter": 1.0, "micrometer": 1e-3,
               "nanometer": 1e-6, "angstrom": 1e-7}  # fmt: skip


class Level(NamedTuple):
    """The level of full resolution of an image.

    Attributes
    ----------
    path : str
        Of the array in the group.
    affine : (4, 4) array
        From voxels to mm along x, y, z, which are taken as right, anterior and superior.
    """

    path: str
    affine: Floats


def first_level(attributes: dict[str, Any]) -> Level | None:
    """The level of full resolution by the attributes of a group; None if it is no image.

    Raises
    ------
    ValueError
        If its last three axes are not those of space.
    """
    image = _image(attributes)
    if image is None:
        return None
    names = [axis["name"] for axis in image["axes"]]
    if sorted(names[-3:]) != ["x", "y", "z"]:
        raise ValueError(f"the last three axes must be x, y and z in any order, got {names}")
    dataset = image["datasets"][0]
    scale, translation = np.ones(len(names)), np.zeros(len(names))
    both = [*dataset.get("coordinateTransformations", ())]
    for step in [*both, *image.get("coordinateTransformations", ())]:
        if step["type"] == "scale":
            scale, translation = scale * step["scale"], translation * step["scale"]
        elif step["type"] == "translation":
            translation = translation + step["translation"]
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for column, axis in enumerate(image["axes"][-3:]):
        row, unit = "xyz".index(axis["name"]), MILLIMETERS.get(axis.get("unit"), 1.0)
        affine[row, column] = scale[len(names) - 3 + column] * unit
        affine[row, 3] = translation[len(names) - 3 + column] * unit
    return Level(dataset["path"], affine)


def of_one_level(attributes: dict[str, Any], start: tuple[int, int, int]) -> dict[str, Any]:
    """The attributes of a copy, which has one level and begins at a voxel of the image."""
    image = _image(attributes)
    assert image is not None
    dataset = image["datasets"][0]
    image["datasets"] = [dataset]
    steps = dataset.setdefault("coordinateTransformations", [])
    count = len(image["axes"])
    scale = next((s["scale"] for s in steps if s["type"] == "scale"), [1.0] * count)
    moved = np.zeros(count)
    moved[-3:] = start
    moved = moved * scale
    for step in steps:
        if step["type"] == "translation":
            step["translation"] = (moved + step["translation"]).tolist()
            break
    else:
        if any(start):
            steps.append({"type": "translation", "translation": moved.tolist()})
    # the format that Zarr 3 goes with
    values = attributes.pop("ome", None) or {"multiscales": attributes.pop("multiscales")}
    values["version"] = "0.5"
    image.pop("version", None)
    return {**attributes, "ome": values}


def _image(attributes: dict[str, Any]) -> dict[str, Any] | None:
    found = attributes.get("ome", attributes).get("multiscales")
    return found[0] if found else None
