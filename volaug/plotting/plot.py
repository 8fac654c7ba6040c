"""`volaug.plot`: slices of a sample, and what was drawn for it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .contents import contents_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    sample: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    image: str | None = None,
    channel: int = 0,
    at: Sequence[int] | None = None,
    affine: npt.ArrayLike | None = None,
) -> "Figure":
    """Draw three slices of a sample, the outlines of its label, and what was drawn for it.

    The convention is radiological: the patient's right is on the left of the picture. The face is
    on the left of a sagittal slice and at the top of an axial one. Letters at the edges say so: R
    and L, A and P, S and I. If the affine is oblique, they stand for the nearest axes. Without an
    affine there are no letters: views are named by the axes 0, 1 and 2, and indices increase to
    the right and up. A bar below the slices shows a length in mm, or in voxels.

    Several samples are rows of one figure, to one scale and with the same gray levels.

    Parameters
    ----------
    sample : Sample, or mapping from names to arrays, or list of these
        A sample; or its arrays by name, such as the originals to compare it with. In a mapping,
        "label" is the label, "points" are landmarks, and any other array (n0, n1, n2) or
        (C, n0, n1, n2) is an image. Of several labels the first is drawn.
    image : str, optional
        Name of the image. Default: the first one.
    channel : int, default 0
        Channel of the image.
    at : (3,) ints, optional
        Voxel through which the slices of each sample go. Default: the one in the middle.
    affine : (4, 4) array_like, optional
        Matrix from voxels to mm. Default: the sample's ``"affine"``, if it has one.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that a notebook shows and that ``savefig`` writes. It is not one of pyplot's.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    TypeError
        If `sample` is not a mapping or a list of mappings, or an argument has another type than
        listed under Parameters.
    ValueError
        If a list is empty, there is no image, its name is unknown, `channel` or `at` is out of
        range, or the label has another shape.

    See Also
    --------
    Sample : What a pipeline returns; ``print(sample)`` has the same words.

    Notes
    -----
    Black and white are the 0.5th and the 99.5th percentile of the slices. Of several samples, black
    is that of the first, and white that of all their slices; samples that `Normalize` changed have
    gray levels of their own, which they share. Voxels that are NaN or infinite are purple. The size
    of a voxel is that of the affine, else the sample's ``"spacing"``, else 1. A slice that is one
    voxel wide is left out if there is another.

    Each label value has its own color, the same in each figure. Outlines lie a quarter of a voxel
    within the label, so that two neighbors are both seen. Each channel of a label is a class. Of a
    label that is not of whole numbers, the outline is at 0.5. Of a `LabelPyramid` the first level
    is drawn. A landmark is drawn if it is within half a voxel of the slice, or within 2% of
    the longest side of the image.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomRotation(20, p=1.0)], seed=7)
    >>> image = np.random.default_rng(0).random((20, 24, 22))
    >>> sample = pipeline(image=image, label=image > 0.9, affine=np.eye(4), index=0)
    >>> before = volaug.plot({"image": image, "label": image > 0.9}, affine=np.eye(4))
    >>> after = volaug.plot(sample, at=(10, 12, 8))
    >>> [axes.get_label() for axes in after.axes]
    ['Sagittal', 'Coronal', 'Axial']

    The image and three draws of it in one figure:

    >>> draws = [pipeline(image=image, index=index) for index in range(3)]
    >>> figure = volaug.plot([{"image": image}, *draws], at=(10, 12, 8))
    >>> len(figure.axes)
    12
    """
    several = isinstance(sample, Sequence) and not isinstance(sample, str)
    samples: Any = sample if several else [sample]
    contents = [contents_of(each, image, channel, at, affine) for each in samples]
    if not contents:
        raise ValueError("sample must be a sample, or a list of one or more, got an empty list")
    try:
        from .figure import draw
        from .sample_rows import draw_rows
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(
            'plot needs matplotlib, which is not installed: pip install "volaug[plot]"',
            name=error.name,
        ) from None
    return draw_rows(contents) if several else draw(contents[0])
