"""The record of one sample: enough to do it again, to another image, or to undo it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .drawn import Drawn
from .replay import augmented, moved_coordinates, resampling_options
from .targets import Array, as_targets, check_cvals, check_grid


class Sample(dict[str, Any]):
    """The augmented targets by name, and the `record` of what was done to them."""

    record: "Record"


@dataclass(frozen=True, eq=False)
class Record(Drawn):
    """The draw of one sample, apart from any voxel.

    Made by `Compose.draw`, or by `Record.from_json`; or taken from a sample, as
    ``sample.record``.

    Attributes
    ----------
    key : Key
        Seed, epoch, index and occurrence.
    shape : (3,) ints
        The grid that it is for.
    spacing : (3,) tuple or None
    affine : (4, 4) array or None
        What the call said of the size of voxels.
    targets : mapping from names to Target
        As in the pipeline.
    steps : tuple of (str, operation)
        The name of each step that was taken, and what it drew.
    stages : tuple of Warp and operations
        What is done, one after the other: warps, and changes of values between them. Spatial
        operations that follow one another are one `Warp`; the first stage always is one.
    elastic_factors : tuple of floats
        One for each warp: what its elastic displacements were multiplied by, so that they cannot
        fold. 1 where nothing had to become smaller.
    """

    _inverses: tuple[Warp, ...] | None = field(init=False, repr=False, default=None)

    def apply(
        self,
        *positions: Any,
        out: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **targets: npt.ArrayLike,
    ) -> Sample:
        """Do it to images, labels, points and boxes.

        Parameters
        ----------
        out : mapping from names to arrays, optional
            Where to write the results of the images and labels that it names.
        threads : int, optional
            At most this many threads; see `set_num_threads`.
        **targets
            Arrays by the names of the pipeline's targets: images and labels of the record's
            `shape`, with or without channels, points (N, 3) and boxes (N, 2, 3) in its voxels.

        Returns
        -------
        Sample
            A dict of the same names, volumes first, with this record; and what it was made
            with of ``"spacing"`` and ``"affine"``, to write the result with: as if another head
            had been in the same scanner (see `cropped_affine`, and `output_affine` for
            overlays). Points and boxes are in voxels of the result, also where they lie outside
            of it; a box is the smallest around what becomes of it (of several warps, one after
            the other). Nothing shares memory with the input.

        Raises
        ------
        TypeError, ValueError
            Before any work, saying what was wanted and what was given.
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
        """`apply` to what `as_targets` gives and has the record's shape.

        Or to parts of that, which begin at the voxel `origin` and hold all that is read.
        """
        sample = Sample(augmented(self.stages, self.targets, volumes, out, threads, origin))
        for warp in self.warps:
            coordinates = moved_coordinates(
                self.targets, coordinates, warp.points_to_output, warp.boxes_to_output
            )
        sample.update(coordinates)
        if self.spacing is not None:
            sample["spacing"] = self.spacing
        if self.affine is not None:
            sample["affine"] = self.cropped_affine
        sample.record = self
        return sample

    def invert(
        self, *positions: Any, threads: int | None = None, **targets: npt.ArrayLike
    ) -> dict[str, Any]:
        """Bring results back to the grid of the input: a prediction on an augmented image, say.

        Parameters
        ----------
        threads, **targets
            As of `apply`, but in voxels of the result: labels by their vote, the channels of an
            image (probabilities, say) each by interpolation.

        Returns
        -------
        dict
            Of the same names. What the result did not show is as the target's mode says,
            `cval` by default; see `seen`. Changes of intensity are not undone.

        Raises
        ------
        TypeError, ValueError
            Also if a displacement folds, which `folding="forbid"` excludes; see `Warp.inverse`.
        """
        checks.refuse_positions("invert", positions)
        volumes, coordinates = as_targets(self.targets, targets)
        check_grid(volumes, self.output_shape, "which the record's result has")
        check_cvals(self.targets, volumes)
        results: dict[str, Any] = volumes
        options = resampling_options(self.targets, volumes)
        for inverse in self._inverted() if volumes else ():
            results = inverse.apply_all(results, threads=threads, **options)
        for warp in reversed(self.warps):
            coordinates = moved_coordinates(
                self.targets, coordinates, warp.points_to_input, warp.boxes_to_input
            )
        return {**results, **coordinates}

    def seen(self, *, threads: int | None = None) -> npt.NDArray[np.bool]:
        """Which voxels of the input the result shows: where `invert` knows what to say.

        For the mean of predictions on several augmented images: divide the sum of what `invert`
        brings back by the sum of these masks, and not by the number of images.

        Parameters
        ----------
        threads : int, optional
            At most this many threads; see `set_num_threads`.

        Returns
        -------
        (n0, n1, n2) array of bool
            Of the record's `shape`. A voxel is seen if all that its inverse reads, by linear
            interpolation, lies in the result.

        Raises
        ------
        ValueError
            If a displacement folds; see `Warp.inverse`.

        Examples
        --------
        >>> record = Compose([CenterCrop((2, 4, 4))]).draw((4, 4, 4))
        >>> record.seen()[:, 0, 0]
        array([False,  True,  True, False])
        """
        shown = np.full(self.output_shape, 255, np.uint8)
        for inverse in self._inverted():
            shown = inverse.apply(shown, threads=threads)
        result: npt.NDArray[np.bool] = shown == 255
        return result

    def _inverted(self) -> tuple[Warp, ...]:
        """What undoes the warps, from the last to the first; kept, as an inverse takes long.

        Without a lock, which a forked child could find taken: two threads may find the same.
        """
        if self._inverses is None:
            shapes = [self.shape, *(warp.shape for warp in self.warps[:-1])]
            pairs = zip(reversed(self.warps), reversed(shapes), strict=True)
            inverses = tuple(warp.inverse(shape) for warp, shape in pairs)
            object.__setattr__(self, "_inverses", inverses)
            return inverses
        return self._inverses
