"""Translation: move the image."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import SelectiveStep
from .ranges import Pairs, RangePerAxis, drawn_for_axes, lengths


@dataclass(frozen=True, repr=False)
class RandomTranslation(SelectiveStep):
    """Translate the image along each axis: by one voxel, ``a b c`` becomes ``0 a b``.

    Each length is drawn uniformly.

    Parameters
    ----------
    translation : float, (low, high), or three of these for axes 0, 1, 2; default 10.0
        Lengths in mm (voxels without spacing), positive towards higher indices, up to 1e6; a number
        `a` means -a to a. The default is 5 % of a head's 200 mm, which is mild; 20 is strong.
    p : float, default 0.2
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
        If a length or `p` is not a number.
    ValueError
        If a length exceeds 1e6, a range is reversed, or `p` is not from 0 to 1.

    See Also
    --------
    RandomAffine : Translation with scaling, shear and rotation.

    Examples
    --------
    >>> step = volaug.RandomTranslation(((1, 1), 0, 0), p=1.0)
    >>> image = np.arange(1, 9).reshape(8, 1, 1)
    >>> volaug.Compose([step], seed=7)(image=image, index=0)["image"].ravel()
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """

    translation: RangePerAxis = 10.0
    p: float = field(default=0.2, kw_only=True)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_lengths=lengths("translation", self.translation))

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(translation=drawn_for_axes(self._lengths, False, stream))
