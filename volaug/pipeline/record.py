"""The record of one sample: enough to repeat it, to apply it to another image, or to undo it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import check_names
from ..threads.limits import thread_count
from ..transforms.label_values import Pairs
from ..transforms.normalize import check_normalized, undo_normalization
from ..transforms.operation import ChannelId, Rescaling
from ..warping.geometry.bspline import Floats
from .description import description
from .drawn import Drawn
from .replay import augmented, resampling_options
from .sides import check_swaps, exchange_labels, exchange_rows, mirrored
from .target_warps import Warps, apply_warps, check_one_warp, moved_coordinates, warp_of
from .targets import Array, as_targets, check_cvals, check_grid


class Sample(dict[str, Any]):
    """The augmented targets of a sample by name: a dict, with the `record` of its draw.

    Attributes
    ----------
    record : Record
        What was drawn for the sample.
    rescalings : dict from (target, channel) to (slope, intercept)
        Of each channel that `Normalize` changed: ``slope * value + intercept`` is what it was.

    See Also
    --------
    Compose : Its call returns samples.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.CenterCrop(8)], seed=7)
    >>> sample = pipeline(image=np.zeros((9, 9, 9)), index=0)
    >>> list(sample), sample.record.output_shape
    (['image'], (8, 8, 8))
    >>> print(sample)
    Sample of Key(seed=7, epoch=0, index=0, occurrence=0)
      image  float64 (8, 8, 8)
      drawn:
        CenterCrop: Crop(start=(0, 0, 0), shape=(8, 8, 8))
    """

    record: "Record"
    rescalings: dict[ChannelId, Rescaling]

    def invert(
        self, *positions: Any, threads: int | None = None, **targets: npt.ArrayLike
    ) -> dict[str, Any]:
        """Map results, such as a predicted image, back to the grid and the values of the input.

        Parameters
        ----------
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.
        **targets
            Arrays by name, as in `Record.invert`. An image of the name and the number of channels
            of one that was normalized gets the values that it had before.

        Returns
        -------
        dict
            Arrays of the same names. Other changes of intensity are not undone, nor is what
            `Normalize` clipped or filled.

        Raises
        ------
        TypeError, ValueError
            As in `Record.invert`; or if an image has other channels than were normalized.
        """
        check_normalized(targets, self, self.rescalings)
        results = self.record.invert(*positions, threads=threads, **targets)
        undo_normalization(results, self.rescalings, thread_count(threads))
        return results

    def __str__(self) -> str:
        """Describe the targets and what was drawn, in a line each."""
        return description(self, self.record)


@dataclass(frozen=True, eq=False)
class Record(Drawn):
    """The draw of one sample, independent of its voxels.

    `Compose.draw` and `Record.from_json` make records, and each sample has one: ``sample.record``.

    Parameters
    ----------
    key : Key
        Seed, epoch, index and occurrence.
    shape : (3,) ints
        Shape of the input, without channels.
    spacing : (3,) tuple or None
        Voxel size in mm, if it was given.
    affine : (4, 4) array or None
        Matrix from voxels to mm, if it was given.
    targets : mapping from names to Target
        The targets of the pipeline.
    steps : tuple of (str, operation)
        Name of each applied step, and what it drew.

    Attributes
    ----------
    stages : tuple of Warp, TargetWarps and operations
        What is done, in order: warps, and changes of values between them. The first is a warp.
        Where a step moves some targets alone, a stage has the warps of each target.
    warps : tuple of Warp
        The warps of the steps that are applied to all targets.
    elastic_factors : tuple of floats
        For each warp, the factor that its elastic displacements were multiplied by so that they
        cannot fold; 1 where they were not shrunk.

    Raises
    ------
    TypeError, ValueError
        If a warp of the steps has no inverse or no common lattice, or a step follows a pyramid.

    See Also
    --------
    Compose.draw : Draw a record.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomRotation(p=1.0)], seed=7)
    >>> record = pipeline.draw((8, 8, 8), index=0)
    >>> volaug.Record.from_json(record.to_json()) == record
    True
    >>> record.apply(image=np.zeros((8, 8, 8)))["image"].shape
    (8, 8, 8)
    """

    def apply(
        self,
        *positions: Any,
        out: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **targets: npt.ArrayLike,
    ) -> Sample:
        """Apply the draw to images, labels, points and boxes.

        Parameters
        ----------
        out : mapping from names to arrays, optional
            Arrays for the results of the images and labels that it names.
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.
        **targets
            Arrays by the names of the pipeline's targets: images and labels of the record's
            `shape`, with or without channels, points (N, 3) and boxes (N, 2, 3) in its voxels.

        Returns
        -------
        Sample
            A dict of the same names, volumes first, with this record. If they were given, also
            ``"spacing"`` and the ``"affine"`` to write the result with (`cropped_affine`). Points
            and boxes are in voxels of the result, also outside of it; a box is the smallest around
            its image in each warp. Nothing shares memory with the input.

        Raises
        ------
        TypeError
            If a target is passed by position, or is not an array of numbers.
        ValueError
            If a name is unknown, a shape is wrong, a dtype cannot hold what a step writes, or `out`
            does not fit. Errors are raised before any work.
        """
        checks.refuse_positions("apply", positions)
        volumes, coordinates = as_targets(self.targets, targets)
        check_grid(volumes, self.shape, "which the record is for")
        return self.apply_checked(volumes, coordinates, out, threads)

    def apply_checked(
        self,
        volumes: Mapping[str, Array],
        coordinates: Mapping[str, Floats],
        out: Mapping[str, Any] | None,
        threads: int | None,
        origin: tuple[int, int, int] = (0, 0, 0),
    ) -> Sample:
        """`apply` to checked targets of the record's shape.

        Or to parts of them, which begin at the voxel `origin` and hold all that is read.
        """
        check_swaps(self.targets, volumes, coordinates)
        names = [*volumes, *coordinates]
        swaps = mirrored(self.targets, names, self.warp_stages, self.affine)
        results, rescalings = augmented(
            self.stages, self.targets, volumes, out, threads, origin, swaps
        )
        sample = Sample(results)
        sample.rescalings = rescalings
        sample.update(self._moved(coordinates, self.warp_stages, "output", swaps))
        if self.spacing is not None:
            sample["spacing"] = self.spacing
        if self.affine is not None:
            sample["affine"] = self.cropped_affine
        sample.record = self
        return sample

    def invert(
        self, *positions: Any, threads: int | None = None, **targets: npt.ArrayLike
    ) -> dict[str, Any]:
        """Map results, such as a prediction on an augmented image, back to the grid of the input.

        Parameters
        ----------
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.
        **targets
            Arrays by name, as in `apply`, but in voxels of the result. Labels are resampled by
            their vote; each channel of an image, such as a probability, by interpolation.

        Returns
        -------
        dict
            Arrays of the same names. Voxels that the result does not show are filled as the
            target's mode says, with `cval` by default; see `seen`. Changes of intensity are not
            undone.

        Raises
        ------
        TypeError
            If a target is passed by position, or is not an array of numbers.
        ValueError
            If a name is unknown, a shape is not the result's, or a displacement folds, which
            ``folding="forbid"`` excludes.
        """
        checks.refuse_positions("invert", positions)
        volumes, coordinates = as_targets(self.targets, targets)
        check_grid(volumes, self.output_shape, "which the record's result has")
        check_cvals(self.targets, volumes)
        check_swaps(self.targets, volumes, coordinates)
        names = [*volumes, *coordinates]
        swaps = mirrored(self.targets, names, self.warp_stages, self.affine)
        results: dict[str, Any] = volumes
        options = resampling_options(self.targets, volumes)
        for inverse in self.inverted() if volumes else ():
            results = apply_warps(inverse, results, options, threads=threads)
        exchange_labels(results, swaps, thread_count(threads))
        return {**results, **self._moved(coordinates, self.warp_stages[::-1], "input", swaps)}

    def _moved(
        self,
        coordinates: Mapping[str, Floats],
        stages: Iterable[Warps],
        direction: str,
        swaps: Mapping[str, Pairs],
    ) -> dict[str, Floats]:
        """Return points and boxes moved through stages, with the pairs of rows exchanged."""
        moved = dict(coordinates)
        for warps in stages if moved else ():
            moved = moved_coordinates(self.targets, moved, warps, direction)
        exchange_rows(moved, swaps)
        return moved

    def seen(self, target: str = "image", *, threads: int | None = None) -> npt.NDArray[np.bool]:
        """Return which voxels of the input the result shows: where `invert` has values.

        To average predictions over augmented images, divide the sum of the inverted predictions by
        the sum of these masks, not by the number of images.

        Parameters
        ----------
        target : str, default "image"
            Name of the target; it matters if a step moves some targets alone.
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.

        Returns
        -------
        (n0, n1, n2) array of bool
            Mask of the record's `shape`. A voxel is seen if all voxels that its inverse reads, by
            linear interpolation, lie in the result.

        Raises
        ------
        ValueError
            If the target is unknown, or a displacement folds; see `Warp.inverse`.

        Examples
        --------
        >>> record = volaug.Compose([volaug.CenterCrop((2, 4, 4))]).draw((4, 4, 4))
        >>> record.seen()[:, 0, 0]
        array([False,  True,  True, False])
        """
        check_names("target", [target], self.targets)
        check_one_warp(self.warp_stages, target)
        shown = np.full(self.output_shape, 255, np.uint8)
        for inverse in self.inverted():
            shown = warp_of(inverse, target).apply(shown, threads=threads)
        result: npt.NDArray[np.bool] = shown == 255
        return result
