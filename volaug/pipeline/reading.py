"""The pipeline that a command names: a preset, or a file of TOML or JSON."""

import os
from pathlib import Path

from .. import presets
from ..serialization import check_names
from .compose import Compose

# Presets that take no argument. The others cut patches of a shape that only a training knows.
PRESETS = ("mild_mri", "strong_mri")
PATCH_PRESETS = ("nnunet", "nnunet_elastic")


def read_pipeline(name: str | os.PathLike[str]) -> Compose:
    """Return the pipeline of a preset's name, or of a ``.toml`` or ``.json`` file.

    Parameters
    ----------
    name : str or path
        ``"mild_mri"``, ``"strong_mri"``, or the path of a file that holds what `Compose.to_dict`
        returns.

    Returns
    -------
    Compose

    Raises
    ------
    ValueError
        If there is no such preset or file, or the file holds no pipeline. The error names it.

    Examples
    --------
    >>> from volaug.pipeline.reading import read_pipeline
    >>> read_pipeline("mild_mri").transforms[0]
    RandomFlip(axes='LR')
    """
    path = Path(os.fsdecode(name))
    if path.suffix in (".toml", ".json"):
        try:
            return Compose.from_file(path)
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror or error}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
    if str(path) in PATCH_PRESETS:
        raise ValueError(
            f"preset {str(path)!r} cuts patches of a shape that the training has; for whole files "
            f"take {' or '.join(PRESETS)}, or a pipeline in a .toml or .json file"
        )
    check_names("preset", [str(path)], PRESETS, "a pipeline's file must end in .toml or .json")
    pipeline: Compose = getattr(presets, str(path))()
    return pipeline
