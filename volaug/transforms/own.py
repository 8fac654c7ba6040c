"""The bases of users' steps: a matrix, a map of points, or a function of one channel.

A record holds the name of such a step and its parameters, and no code. So the work is done by a
static method, whose class is found by the registered name.
"""

import abc
import inspect
import sys
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, TypeVar

from .. import checks
from ..keys import RandomStream
from ..serialization import shown
from ..warping.fusion import Grid
from .base import SelectiveStep, ValueStep
from .own_operations import SPATIAL_METHODS, VALUE_METHOD, OwnChange, OwnWarp
from .registered import REGISTERED, registered

HOW_TO = "see docs/own_steps.md"

# What the values of an image can be converted to.
DTYPES = ("float16", "float32", "float64")

# What no argument of a step can be named, beside the attributes of its base.
RESERVED = ("type", *SPATIAL_METHODS, VALUE_METHOD, "is_registered")


class OwnTransform(SelectiveStep):
    """What the two bases of users' steps share."""

    @abc.abstractmethod
    def get_parameters(self, grid: Grid, stream: RandomStream) -> Mapping[str, Any]:
        """Draw the parameters of one sample.

        Parameters
        ----------
        grid : Grid
            The grid of the image before this step: its `shape`, `center`, `to_mm` and, if known,
            `affine`.
        stream : RandomStream
            The random numbers of this step and sample: its methods `uniform`, `uniforms`, `whole`,
            `chance` and `pick`. The same key gives the same numbers.

        Returns
        -------
        dict
            Numbers, strings and lists by name. The record keeps it.
        """

    def check(self) -> None:
        """Check the arguments. Override it to raise an error for wrong ones."""

    def _drawn(self, grid: Grid, stream: RandomStream) -> Any:
        kind = type(self)
        if "is_registered" in vars(kind):  # it came by a pickle that holds its class
            REGISTERED.setdefault(kind.__name__, kind)
        registered(kind.__name__)
        return self.get_parameters(grid, stream)


class SpatialTransform(OwnTransform):
    """Base of a user's step that moves voxels: images, labels, points and boxes alike.

    Decorate the class with `register`. It has `get_parameters` and one of two static methods::

        matrix(grid, **parameters)
        points_to_input(points, grid, **parameters)

    `matrix` returns the motion of the image about its center, in mm: a (3, 3) matrix, or (4, 4)
    with a translation. `points_to_input` maps points (N, 3) of the result, in voxels, to the
    points of the image that they show. volaug approximates the map by a cubic B-spline, to 0.01
    voxel, and fuses it with the other steps.

    Parameters
    ----------
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If `get_parameters` returns something other than finite numbers, strings and lists by name,
        or a method does not return numbers.
    ValueError
        If the class is not registered when it draws, or the result of a method has a wrong shape,
        is not finite, has no inverse, or varies too fast for a B-spline.

    See Also
    --------
    IntensityTransform : Base of a step that changes values.
    register : Give a step its name in records.

    Examples
    --------
    A matrix, and a map of points:

    >>> @volaug.register
    ... class RandomSqueeze(volaug.SpatialTransform):
    ...     factor: float = 0.8
    ...
    ...     def get_parameters(self, grid, stream):
    ...         return {"factor": stream.uniform(self.factor, 1.0)}
    ...
    ...     @staticmethod
    ...     def matrix(grid, factor):
    ...         return np.diag([factor, 1, 1])
    >>> record = volaug.Compose([RandomSqueeze(0.5)], seed=7).draw((9, 9, 9), index=0)
    >>> record.apply(points=[[8, 4, 4]])["points"].round(2)
    array([[7.82, 4.  , 4.  ]])
    >>> @volaug.register
    ... class RandomWave(volaug.SpatialTransform):
    ...     def get_parameters(self, grid, stream):
    ...         return {"height": stream.uniform(0.5, 1.0)}
    ...
    ...     @staticmethod
    ...     def points_to_input(points, grid, height):
    ...         return points + height * np.sin(points[:, [2, 0, 1]])
    >>> record = volaug.Compose([RandomWave()], seed=7).draw((9, 9, 9), index=0)
    >>> record.warp.points_to_input([[1, 2, 4]]).round(2)
    array([[0.37, 2.7 , 4.76]])
    """

    def draw(self, grid: Grid, stream: RandomStream) -> "OwnWarp":
        return OwnWarp(type(self).__name__, self._drawn(grid, stream))


class IntensityTransform(OwnTransform, ValueStep):
    """Base of a user's step that changes the values of images, one channel at a time.

    Decorate the class with `register`. It has `get_parameters` and the static method
    ``change(voxels, **parameters)``. `change` changes one channel (n0, n1, n2) in place, or
    returns another array of the same shape and dtype. If it has a parameter `threads`, it gets
    how many threads it may use. The class attribute `dtype`, "float16", "float32" or "float64",
    says what it works in; other images are converted, and integers are rounded again.

    Parameters
    ----------
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If `get_parameters` returns something other than finite numbers, strings and lists by name,
        or `change` returns another dtype.
    ValueError
        If the class is not registered when it draws, or `change` returns another shape, or NaN
        where there was none; for that, some voxels are looked at, and all of integers.

    See Also
    --------
    SpatialTransform : Base of a step that moves voxels.
    register : Give a step its name in records.

    Examples
    --------
    >>> @volaug.register
    ... class RandomTint(volaug.IntensityTransform):
    ...     high: float = 0.5
    ...
    ...     def get_parameters(self, grid, stream):
    ...         return {"amount": stream.uniform(0.0, self.high)}
    ...
    ...     @staticmethod
    ...     def change(voxels, amount):
    ...         voxels += amount
    >>> pipeline = volaug.Compose([RandomTint(0.2)], seed=7)
    >>> pipeline(image=np.zeros((1, 1, 1)), index=0)["image"].round(3)
    array([[[0.109]]])
    """

    # What `change` works in; None for the dtype of each image.
    dtype: ClassVar[str | None] = None
    takes_threads: ClassVar[bool] = False

    def draw(self, grid: Grid, stream: RandomStream) -> "OwnChange":
        return OwnChange(type(self).__name__, self._drawn(grid, stream))


Own = TypeVar("Own", bound=type[OwnTransform])


def register(step: Own) -> Own:
    """Register a user's step by the name of its class, for records and pipelines in files.

    Use it as a decorator. The class becomes a frozen dataclass: its annotated attributes are its
    arguments. A process that reads a record must have imported the module of the class.

    Parameters
    ----------
    step : class
        A subclass of `SpatialTransform` or `IntensityTransform`.

    Returns
    -------
    class
        The same class.

    Raises
    ------
    TypeError
        If it is not a subclass of these two, lacks a method or has one too many, if a method is
        not static, or an argument has a name that volaug uses.
    ValueError
        If a step of volaug, or another registered class, has the same name, or `dtype` is unknown.

    See Also
    --------
    SpatialTransform, IntensityTransform : The bases, with examples.

    Examples
    --------
    >>> @volaug.register
    ... class Double(volaug.IntensityTransform):
    ...     def get_parameters(self, grid, stream):
    ...         return {}
    ...
    ...     @staticmethod
    ...     def change(voxels):
    ...         voxels *= 2
    >>> volaug.Compose([Double()]).to_dict()["transforms"]
    [{'type': 'Double', 'p': 1.0}]
    """
    if not isinstance(step, type) or not issubclass(step, OwnTransform):
        raise TypeError(
            "register takes a subclass of volaug.SpatialTransform or volaug.IntensityTransform, "
            f"got {shown(step)}: {HOW_TO}"
        )
    from .registry import OPERATIONS, TRANSFORMS  # which has the operations below

    name = step.__name__
    before = REGISTERED.get(name)
    if before is step:
        return step
    method = _method_of(step)
    _check_arguments(step)
    if name in {*TRANSFORMS, *OPERATIONS, "Compose"}:
        raise ValueError(f"the name {name!r} is taken by a step of volaug: choose another")
    module = sys.modules.get(step.__module__)
    # a cell of a notebook that is run again, or a module that is reloaded, defines it anew
    if before is not None and getattr(module, name, None) is not before:
        raise ValueError(
            f"the name {name!r} is taken by {before.__module__}.{before.__qualname__}: choose "
            "another"
        )
    REGISTERED[name] = dataclass(frozen=True, repr=False)(step)
    if method == VALUE_METHOD:
        step.takes_threads = "threads" in inspect.signature(step.change).parameters  # type: ignore
    step.is_registered = True  # type: ignore[attr-defined]
    return step


def _method_of(step: type[OwnTransform]) -> str:
    """Return the name of the one static method that a step has, or raise."""
    name, is_spatial = step.__name__, issubclass(step, SpatialTransform)
    wanted = SPATIAL_METHODS if is_spatial else (VALUE_METHOD,)
    found = [m for m in (*SPATIAL_METHODS, VALUE_METHOD) if callable(getattr(step, m, None))]
    if len(found) != 1 or found[0] not in wanted:
        got = " and ".join(found) or "none"
        raise TypeError(f"{name} must have {' or '.join(wanted)}, got {got}: {HOW_TO}")
    if not isinstance(inspect.getattr_static(step, found[0]), staticmethod):
        raise TypeError(f"{name}.{found[0]} must be a staticmethod: a record has no `self`")
    if step.get_parameters is OwnTransform.get_parameters:
        raise TypeError(f"{name} must have get_parameters: {HOW_TO}")
    return found[0]


def _check_arguments(step: type[OwnTransform]) -> None:
    """Check the attributes of a step that become its arguments, and its `dtype`."""
    name = step.__name__
    base = IntensityTransform if issubclass(step, IntensityTransform) else SpatialTransform
    if issubclass(step, IntensityTransform) and step.dtype is not None:
        checks.check_choice(f"the dtype of {name}", step.dtype, DTYPES)
    for method in ("__init__", "__post_init__"):
        if method in vars(step):
            raise TypeError(f"{name} must have no {method}: annotated attributes are its arguments")
    for argument, kind in inspect.get_annotations(step).items():
        if argument == "p":  # its default; it comes last, and by name, as of other steps
            usual: Any = step.p
            usual = usual.default if isinstance(usual, Field) else usual
            step.p = field(default=usual, kw_only=True)
        elif "ClassVar" not in str(kind) and (argument in RESERVED or hasattr(base, argument)):
            raise TypeError(
                f"{name} must have no argument {argument!r}: volaug uses this name itself"
            )
