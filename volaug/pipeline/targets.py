"""The targets of a sample: images, labels, points and boxes by name, and how each is warped."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import check_names, normalize, shown
from ..transforms.label_values import as_pairs
from ..warping.engine.borders import MODES
from ..warping.geometry.bspline import Floats

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]

Kind = Literal["image", "label", "points", "boxes"]
KINDS = get_args(Kind)

MAX_CHANNELS = 2**16

# Pairs of labels, or of rows; of all labels, or by the names of targets.
Swap = Iterable[tuple[int, int]] | Mapping[str, Iterable[tuple[int, int]]] | None

# What a pipeline's call takes beside its targets.
RESERVED = ("self", "spacing", "affine", "epoch", "index", "occurrence", "out", "threads")


@dataclass(frozen=True)
class Target:
    """What a name stands for and, for images and labels, how they are resampled.

    Parameters
    ----------
    kind : {"image", "label", "points", "boxes"}
        What it is.
    interpolation : {"linear", "nearest", "cubic", "label"}
        Interpolation, as in `affine_transform`.
    mode : str, default "constant"
        Border, as in `affine_transform`.
    cval : float or list of floats, default 0.0
        Value outside of the volume, one number or one per channel.
    swap : list of (int, int), optional
        Pairs of labels, or of rows of points or boxes, that are exchanged by a draw that mirrors
        left and right.

    Raises
    ------
    TypeError
        If `cval` is not a number, or a list of them, or `swap` is not made of pairs.
    ValueError
        If a choice is unknown, `cval` is empty, or a label is in two pairs.

    See Also
    --------
    Compose : Its `targets`, `interpolation`, `mode` and `cval` make these.

    Examples
    --------
    >>> volaug.Compose([], mode={"image": "nearest"}).table["image"]
    Target(kind='image', interpolation='linear', mode='nearest', cval=0.0, swap=None)
    """

    kind: str
    interpolation: str = "linear"
    mode: str = "constant"
    cval: Any = 0.0
    swap: Any = None

    def __post_init__(self) -> None:
        checks.check_choice("the kind of a target", self.kind, KINDS)
        checks.check_choice("interpolation", self.interpolation, checks.INTERPOLATIONS)
        checks.check_choice("mode", self.mode, MODES)
        fills = normalize(self.cval)
        values = fills if isinstance(fills, tuple) else (fills,)
        if not all(isinstance(value, bool | int | float) for value in values):
            raise TypeError(f"cval must be a number or one a channel, got {self.cval!r}")
        if not values:
            raise ValueError(f"cval must be a number or one a channel, got {self.cval!r}")
        if self.swap is not None:
            if self.kind == "image":
                raise ValueError("swap is for labels, points and boxes, got one for an image")
            object.__setattr__(self, "swap", as_pairs(self.swap))
            rows = [row for pair in self.swap for row in pair]
            if self.kind in ("points", "boxes") and min(rows, default=0) < 0:
                raise ValueError(f"swap must have rows from 0 on, got {min(rows)}")
        object.__setattr__(self, "cval", list(fills) if isinstance(fills, tuple) else fills)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters by name, for JSON; without a swap of None."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        if self.swap is not None:
            values["swap"] = [list(pair) for pair in self.swap]
        return values

    @property
    def has_voxels(self) -> bool:
        """Whether it is an image or a label."""
        return self.kind in ("image", "label")


def kinds_of(targets: Mapping[str, Target]) -> dict[str, str]:
    """Return the kind of each target by its name."""
    return {name: target.kind for name, target in targets.items()}


def target_table(
    kinds: Mapping[str, str],
    interpolation: Mapping[str, str],
    mode: Mapping[str, str],
    cval: Mapping[str, Any],
    swap: Swap = None,
) -> dict[str, Target]:
    """All targets of a pipeline: those that each has, and those that a user names.

    Raises
    ------
    TypeError
        If an option is not a mapping.
    ValueError
        If a name cannot be a target's, or an option names no target, has an unknown value, or is
        for points or boxes.
    """
    for option, given in (
        ("targets", kinds), ("interpolation", interpolation), ("mode", mode), ("cval", cval),
    ):  # fmt: skip
        if not isinstance(given, Mapping):
            raise TypeError(f"{option} must be a mapping from names, got {type(given).__name__}")
    for name in kinds:
        if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
            raise ValueError(
                f"a target's name must be one for an argument, and not {', '.join(RESERVED)}, "
                f"got {name!r}"
            )
    named = {**{kind: kind for kind in KINDS}, **kinds}
    pairs: Mapping[str, Any] = (
        swap
        if isinstance(swap, Mapping)
        else {name: swap for name, kind in named.items() if kind == "label"}
    )
    options = {"interpolation": interpolation, "mode": mode, "cval": cval, "swap": pairs}
    for option, given in options.items():
        check_names(f"target of {option}", given, named)
    table = {}
    for name, kind in named.items():
        usual = "label" if kind == "label" else "linear"
        try:
            table[name] = Target(
                kind,
                interpolation.get(name, usual),
                mode.get(name, "constant"),
                cval.get(name, 0.0),
                pairs.get(name),
            )
        except (TypeError, ValueError) as error:
            raise type(error)(f"target {name!r}: {error}") from None
        if not table[name].has_voxels and any(name in o for o in (interpolation, mode, cval)):
            raise ValueError(f"target {name!r} is of kind {kind!r} and has no voxels to resample")
    return table


def as_targets(
    table: Mapping[str, Target], given: Mapping[str, Any]
) -> tuple[dict[str, Array], dict[str, Floats]]:
    """Return the volumes, and the points and boxes, among what a user passes, by name.

    Returns
    -------
    dict, dict
        Arrays of images and labels, and of points (N, 3) and boxes (N, 2, 3).

    Raises
    ------
    TypeError
        If a target is not an array of numbers.
    ValueError
        If a name is unknown, or a shape is wrong.
    """
    unknown = [name for name in given if name not in table]
    if unknown:
        hint = f"""others are named for the pipeline, as targets={{{unknown[0]!r}: "label"}}"""
        check_names("target", given, table, hint)
    volumes, coordinates = {}, {}
    for name, value in given.items():
        kind = table[name].kind
        if kind in ("image", "label"):
            volumes[name] = checks.as_volume(value, name)
            checks.warn_of_last_channels(name, value, stacklevel=3)
            if kind == "image":
                checks.warn_of_first_channels(name, value, stacklevel=3)
            continue
        try:
            coordinates[name] = (checks.as_points if kind == "points" else checks.as_boxes)(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name!r}: {error}") from None
    return volumes, coordinates


# What an error may advise: the first that serves.
WIDER = ("int16", "int32", "int64", "float32", "float64")


def check_cvals(table: Mapping[str, Target], volumes: Mapping[str, Array]) -> None:
    """Check that each volume's dtype holds its `cval`, which fills voxels outside.

    Raises
    ------
    ValueError
        If it does not; the error names the volume, the value, and a dtype that does.
    """
    for name, volume in volumes.items():
        target = table[name]
        try:
            checks.as_fills(target.cval, volume)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}{_advice(name, target, volume)}") from None


def _advice(name: str, target: Target, volume: Array) -> str:
    """Advise on a volume whose dtype does not hold the target's `cval`."""
    for wider in WIDER:
        # an image may have all numbers of its dtype, while labels are few
        if target.kind == "label" or np.can_cast(volume.dtype, wider):
            try:
                checks.as_fills(target.cval, blank(volume.shape, wider))
            except ValueError:
                continue
            return (
                f"; this pipeline marks voxels outside of {name!r} by {target.cval!r}: give it in "
                f"a dtype that holds this and all of its own values, such as {wider}"
            )
    return ""


def blank(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """An array of zeros that needs no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def check_grid(volumes: Mapping[str, Array], shape: Shape, whose: str) -> None:
    """Check that volumes have this shape; `whose` it is, for the message."""
    for name, volume in volumes.items():
        if volume.shape[-3:] != shape:
            raise ValueError(
                f"{name!r} must have the shape {shape}, {whose}, got {volume.shape[-3:]}"
            )


def common_grid(volumes: Mapping[str, Array]) -> Shape:
    """The one shape of all volumes, without channels."""
    shapes = {name: volume.shape[-3:] for name, volume in volumes.items()}
    if not shapes:
        raise ValueError(
            "an image or a label is needed, which shows the grid; for points or boxes alone use "
            "draw(shape, ...).apply(...)"
        )
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name!r} {shape}" for name, shape in shapes.items())
        raise ValueError(f"images and labels must have one shape without channels, got {listed}")
    n0, n1, n2 = next(iter(shapes.values()))
    return n0, n1, n2


def as_channels(given: Any, table: Mapping[str, Target]) -> int | dict[str, int]:
    """Return the number of channels to draw for: of all images, or of each by name."""
    if not isinstance(given, Mapping):
        return checks.as_whole("channels", given, 1, MAX_CHANNELS)
    images = [name for name, target in table.items() if target.kind == "image"]
    check_names("image of channels", given, images)
    if not given:
        raise ValueError("channels must name an image, or be one number, got none")
    return {
        name: checks.as_whole(f"channels of {name!r}", count, 1, MAX_CHANNELS)
        for name, count in given.items()
    }


def channels_of(volumes: Mapping[str, Any], table: Mapping[str, Target]) -> dict[str, int]:
    """Return the number of channels of each image, which may be anything with a shape."""
    return {
        name: volume.shape[0] if len(volume.shape) == 4 else 1
        for name, volume in volumes.items()
        if table[name].kind == "image"
    }


def as_swap(value: Any) -> Any:
    """Return pairs as a sorted tuple, for all labels; or a dict of them by name; or None."""
    if value is None:
        return None
    if isinstance(value, Mapping) and value:
        if not all(isinstance(name, str) for name in value):
            raise TypeError(
                "swap must be pairs of labels, such as {(17, 53)}, or pairs by names of targets, "
                f"got {shown(value)}"
            )
        return {name: as_pairs(pairs) for name, pairs in value.items()}
    return as_pairs(() if isinstance(value, Mapping) else value)
