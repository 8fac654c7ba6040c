"""One sample of a stream: its case is opened, a patch is drawn, read and augmented."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..keys import Key, RandomStream
from ..pipeline.compose import Compose
from ..pipeline.drawing import check_volumes
from ..pipeline.record import Record, Sample
from ..pipeline.targets import channels_of
from ..transforms.crop import Crop, as_window
from ..transforms.group import happens_always
from ..transforms.label_pyramid import LabelPyramid
from .batches import shuffled_index, spec_of
from .cases import Case, CaseError, Given, OpenCase, as_image_dtype
from .decoded import DecodedCases
from .optional import (
    as_optional,
    completed,
    mark_presence,
    optional_forms,
    without_blank_images,
)
from .patches import Foreground, as_foreground, foreground_of, patch_start
from .regions import as_parts

MAX_REPEATS = 2**31
MAX_BYTES = 2**62

# The name and the seconds of each stage of each sample.
Seconds = list[tuple[str, float]]


class SampleMaker:
    """Makes the samples of a stream, in any thread.

    It has no reference to the stream, so that the stream can be garbage collected.

    Parameters
    ----------
    cases, pipeline, patch_shape, seed, samples_per_case, dtype, cache_bytes, optional
        As of `Stream`.

    Attributes
    ----------
    epoch_size : int
        Number of samples in an epoch.
    spec : SampleSpec
        What all samples have in common, taken from the first case.

    Raises
    ------
    TypeError, ValueError
        If an argument is one that `Stream` refuses.
    CaseError
        If the first case cannot be opened.
    """

    def __init__(
        self,
        cases: Sequence[Given],
        pipeline: Compose,
        patch_shape: int | Sequence[int],
        seed: int,
        samples_per_case: int,
        dtype: npt.DTypeLike | None,
        cache_bytes: int,
        optional: Sequence[str] = (),
    ) -> None:
        if not isinstance(pipeline, Compose):
            raise TypeError(f"pipeline must be a Compose, got {type(pipeline).__name__}")
        if isinstance(cases, str | Mapping) or not isinstance(cases, Sequence):
            raise TypeError(
                "cases must be a list of mappings from names to arrays or files, "
                f"got {type(cases).__name__}"
            )
        if not happens_always(LabelPyramid, pipeline):
            raise ValueError(
                "a LabelPyramid of a Stream must happen for each sample, since a batch has arrays "
                "or lists, not both: give it and the groups around it p=1, and use no OneOf"
            )
        self._dtype = as_image_dtype(dtype)
        self._cases = [Case(given, pipeline.table, self._dtype) for given in cases]
        if not self._cases:
            raise ValueError("cases must be one or more, got none")
        self._pipeline = pipeline
        self._patch = as_window(patch_shape, "patch_shape")
        self._seed = checks.as_seed("seed", seed)
        self._repeats = checks.as_whole("samples_per_case", samples_per_case, 1, MAX_REPEATS)
        self.epoch_size = len(self._cases) * self._repeats
        self._decoded = DecodedCases(checks.as_whole("cache_bytes", cache_bytes, 0, MAX_BYTES))
        self._known_foreground: dict[int, Foreground] = {}
        try:
            opened = self._cases[0].open()
        except Exception as error:
            raise CaseError.of(error, 0) from error
        names = as_optional(optional, pipeline.table)
        self._optional = optional_forms(names, self._cases, pipeline.table)
        opened = completed(opened, self._optional)
        check_volumes(pipeline, pipeline.table, opened.volumes)
        pipeline.warn_of_sides({name: pipeline.table[name] for name in opened.volumes})
        self.spec = spec_of(opened, self._drawn(Key(self._seed, 0, 0), opened, (0, 0, 0)))

    def __getstate__(self) -> dict[str, Any]:
        """The state, with a copy of the foreground, to which threads add."""
        return {**vars(self), "_known_foreground": dict(self._known_foreground)}

    def setup(self) -> dict[str, Any]:
        """What samples depend on, as plain values that tell one setup from another."""
        pipeline = self._pipeline.to_dict()
        pipeline.pop("seed", None)  # the stream has its own
        return {
            "pipeline": digest_of(json.dumps(pipeline, sort_keys=True)),
            "cases": f"{len(self._cases)} ({digest_of(*(case.outline() for case in self._cases))})",
            "seed": self._seed,
            "patch_shape": list(self._patch),
            "samples_per_case": self._repeats,
            "dtype": None if self._dtype is None else self._dtype.name,
        }

    def make(
        self,
        number: int,
        is_foreground: bool,
        out: Mapping[str, Any],
        seconds: Seconds,
    ) -> Sample:
        """Make one sample.

        Parameters
        ----------
        number : int
            Number of the sample, counted through all epochs.
        is_foreground : bool
            Whether the patch lies around a voxel of the foreground.
        out : mapping from names to (C, n0, n1, n2) arrays
            Where to write its volumes.
        seconds : list
            The time of each stage is appended to it.

        Raises
        ------
        CaseError
            If its case cannot be read or augmented.
        """
        epoch, place = divmod(number, self.epoch_size)
        index = shuffled_index(self._seed, epoch, self.epoch_size, place)
        try:
            return self._make(Key(self._seed, epoch, index), is_foreground, out, seconds)
        except Exception as error:
            raise CaseError.of(error, index // self._repeats, epoch, index) from error

    def _make(
        self, key: Key, is_foreground: bool, out: Mapping[str, Any], seconds: Seconds
    ) -> Sample:
        number = key.index // self._repeats
        with _timed("open", seconds):
            opened = self._cases[number].open()
        if not self._cases[number].is_function:
            with _timed("read", seconds):
                opened = self._decoded.kept(number, opened)
        opened = completed(opened, self._optional)
        with _timed("draw", seconds):
            coordinates = self._foreground(number, opened) if is_foreground else None
            start = patch_start(RandomStream(key, "patch"), opened.shape, self._patch, coordinates)
            record = self._drawn(key, opened, start)
            self.spec.check(spec_of(opened, record))
        with _timed("read", seconds):
            volumes, origin = as_parts(opened, record)
        with _timed("augment", seconds):
            volumes = without_blank_images(volumes, opened, self._optional)
            slots = {
                name: out[name] if volume.ndim == 4 else out[name][0]
                for name, volume in volumes.items()
            }
            sample = record.apply_checked(volumes, opened.coordinates, slots, 1, origin)
        mark_presence(sample, opened, self._optional, out)
        return sample

    def _drawn(self, key: Key, opened: OpenCase, start: tuple[int, int, int]) -> Record:
        channels = channels_of(opened.volumes, self._pipeline.table) or 1
        window = Crop(start, self._patch)
        return self._pipeline.draw_for(
            key, opened.shape, opened.spacing, opened.affine, channels, window
        )

    def _foreground(self, number: int, opened: OpenCase) -> Foreground | None:
        """The foreground of a case: found once, or each time if the case is a function."""
        labels = [n for n in opened.volumes if self._pipeline.table[n].kind == "label"]
        if not labels and opened.foreground is None:
            return None
        known = self._known_foreground.get(number)
        if known is not None:
            return known
        if opened.foreground is None:
            found = foreground_of(np.asarray(opened.volumes[labels[0]][...]))
        else:
            found = as_foreground(opened.foreground, opened.shape)
        if not self._cases[number].is_function:
            self._known_foreground[number] = found
        return found


def digest_of(*texts: str) -> str:
    """Return a short digest of some texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@contextmanager
def _timed(stage: str, seconds: Seconds) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds.append((stage, time.perf_counter() - start))
