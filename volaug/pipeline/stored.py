"""Pipelines as plain values, TOML and JSON, and back."""

import os
from typing import Any, Self

from ..serialization import (
    arguments,
    check_format,
    check_names,
    parse_file,
    parse_toml,
    reject_deep_nesting,
    to_plain,
)
from ..transforms.group import Group
from ..transforms.registered import registered_steps
from ..transforms.registry import TRANSFORMS, transform_from

FORMAT, VERSION = "volaug.pipeline", 1


class StoredPipeline(Group):
    """A pipeline that can be written as plain values and read again. `Compose` adds the rest."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, for JSON or TOML.

        Returns
        -------
        dict
            What `from_dict` takes.
        """
        values = to_plain(self)
        del values["type"]
        return {"format": FORMAT, "version": VERSION, **values}

    @classmethod
    @reject_deep_nesting
    def from_dict(cls, values: Any) -> Self:
        """Return the pipeline of which `to_dict` made `values`.

        Types of transforms are looked up among volaug's own, and nowhere else.

        Raises
        ------
        TypeError, ValueError
            If a part is missing, wrong or unknown; the error suggests the nearest known name.
        """
        given = check_format(values, FORMAT, VERSION)
        check_names("argument of the pipeline", given, [item.name for item in arguments(cls)])
        pipeline: Self = transform_from(
            {**given, "type": "Compose"},
            {**TRANSFORMS, **registered_steps(), "Compose": cls},
            "the pipeline",
        )
        return pipeline

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Return the pipeline in a TOML text, whose names are those of `to_dict`."""
        return cls.from_dict(parse_toml("pipeline", text, "use Compose.from_file"))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the pipeline in a ``.toml`` or ``.json`` file; see `from_dict`."""
        return cls.from_dict(parse_file("pipeline", path))
