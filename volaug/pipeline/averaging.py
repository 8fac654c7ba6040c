"""Test-time augmentation: predictions on augmented images, brought back and averaged."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import check_flag
from ..serialization import shown
from .compose import Compose
from .record import Record
from .target_warps import check_one_warp, warp_of
from .targets import common_grid

Array = npt.NDArray[Any]

MAX_DRAWS = 2**16


def average_predictions(
    pipeline: Compose,
    predict: Callable[[Any], npt.ArrayLike],
    image: npt.ArrayLike,
    *,
    draws: int = 8,
    original: bool = True,
    spacing: npt.ArrayLike | None = None,
    affine: npt.ArrayLike | None = None,
    epoch: int = 0,
    index: int = 0,
    threads: int | None = None,
) -> Array:
    """Average predictions over augmented images: test-time augmentation.

    The image is augmented by several draws, each prediction is brought back to the image's grid,
    and each voxel is the mean over the draws that show it, and do not show it mixed with what lies
    outside of the image.

    Parameters
    ----------
    pipeline : Compose
        Draws the augmentation, such as ``Compose([RandomFlip("LR")], seed=0)``.
    predict : callable
        Called with an augmented image; returns probabilities in its grid: ``(K, m0, m1, m2)`` for K
        classes, or ``(m0, m1, m2)``, of floats.
    image : (n0, n1, n2) or (C, n0, n1, n2) array
        Image to predict for.
    draws : int, default 8
        Number of augmented images.
    original : bool, default True
        Whether the image itself is predicted too. Without it, a voxel that no draw shows is NaN.
    spacing, affine, epoch, index : optional
        As in `Compose.draw`. The draws are the occurrences 0, 1, 2 and so on of the key.
    threads : int, optional
        Maximum number of threads. Default: `get_num_threads()`.

    Returns
    -------
    (K, n0, n1, n2) or (n0, n1, n2) array
        Mean probabilities, float32; float64 if `predict` returns that.

    Raises
    ------
    TypeError
        If an argument has another type than above, or `predict` does not return floats.
    ValueError
        If `draws` is less than 1, `predict` returns another shape, or a draw has no inverse.

    See Also
    --------
    Record.invert : Bring one prediction back.

    Notes
    -----
    Beside the result there is one prediction, and one channel of it that is brought back.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomFlip(p=0.5)], seed=7)
    >>> image = np.random.default_rng(0).random((8, 8, 8))
    >>> mean = volaug.average_predictions(pipeline, lambda x: np.stack([x, 1 - x]), image)
    >>> np.allclose(mean, [image, 1 - image])
    True
    """
    if not isinstance(pipeline, Compose):
        raise TypeError(f"pipeline must be a Compose, got {shown(pipeline)}")
    if not callable(predict):
        raise TypeError(f"predict must be a function, got {shown(predict)}")
    volume = checks.as_volume(image, "image")
    shape = common_grid({"image": volume})
    count = checks.as_whole("draws", draws, 1, MAX_DRAWS)
    check_flag("original", original)
    sums, times = None, np.zeros(shape, np.int32)
    if original:
        sums = _predicted(predict, volume.copy(), None).copy()
        times += 1
    for occurrence in range(count):
        record = pipeline.draw(
            shape,
            spacing=spacing,
            affine=affine,
            channels=len(volume) if volume.ndim == 4 else 1,
            epoch=epoch,
            index=index,
            occurrence=occurrence,
        )
        check_one_warp(record.warp_stages, "image")
        seen = _seen(record, threads)
        sums = _with_draw(sums, predict, volume, record, seen, threads)
        times += seen
    assert sums is not None
    with np.errstate(invalid="ignore"):  # 0 / 0 where no draw shows a voxel
        sums /= times
    return sums


def _seen(record: Record, threads: int | None) -> Array:
    """Return which voxels of the input the result shows without a part of its border.

    These are fewer than `Record.seen` has: a prediction beside the border of the input is one of
    what fills the outside, too.
    """
    shown = np.full(record.shape, 255, np.uint8)
    for warps in (*record.warp_stages, *record.inverted()):
        shown = warp_of(warps, "image").apply(shown, threads=threads)
    seen: Array = shown == 255
    return seen


def _with_draw(
    sums: Array | None,
    predict: Callable[[Any], npt.ArrayLike],
    volume: Array,
    record: Record,
    seen: Array,
    threads: int | None,
) -> Array:
    """Add the prediction for one draw, brought back, to the sums, where the draw shows voxels."""
    augmented = record.apply(image=volume, threads=threads)["image"]
    prediction = _predicted(predict, augmented, sums)
    if sums is None:
        sums = np.zeros((*prediction.shape[:-3], *record.shape), prediction.dtype)
    channels = prediction if prediction.ndim == 4 else prediction[np.newaxis]
    for channel, total in zip(channels, sums if sums.ndim == 4 else sums[np.newaxis], strict=True):
        for inverse in record.inverted():
            channel = warp_of(inverse, "image").apply(channel, threads=threads)
        np.add(total, channel, out=total, where=seen)
    return sums


def _predicted(predict: Callable[[Any], npt.ArrayLike], image: Array, sums: Array | None) -> Array:
    """Return what is predicted for an image, as float32 or float64."""
    found = checks.as_volume(predict(image), "the prediction")
    if found.dtype.kind != "f":
        raise TypeError(f"predict must return probabilities, as floats, got {found.dtype}")
    grid = image.shape[-3:]
    wanted = (*(found if sums is None else sums).shape[:-3], *grid)
    if found.shape != wanted:
        classes = f"{grid}, or (K, {str(grid)[1:]} for K classes"
        raise ValueError(
            f"predict must return the shape {classes if sums is None else wanted}, got "
            f"{found.shape}"
        )
    return found.astype(np.result_type(found.dtype, np.float32), copy=False)
