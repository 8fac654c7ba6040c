"""A pipeline with as many labels as a case has."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...pipeline.compose import Compose
from ...serialization import check_names
from ...transforms.label_pyramid import LabelPyramid

# Of a pipeline's options by target, those that other labels share with the first one.
OPTIONS = ("interpolation", "mode", "cval", "swap")


def check_pipeline(pipeline: Compose) -> None:
    """Check that files can be made of what a pipeline returns."""
    if any(isinstance(step, LabelPyramid) for step in pipeline.steps()):
        raise ValueError("the pipeline must have no LabelPyramid: files have one resolution")


def with_targets(pipeline: Compose, names: Iterable[str]) -> Compose:
    """Return a pipeline whose targets include those of a case.

    Parameters
    ----------
    pipeline : Compose
    names : str
        Targets of a case: those of the pipeline, or `label_2` and so on, which are treated like
        `label`.

    Raises
    ------
    ValueError
        If the pipeline has no such target.
    """
    more = [name for name in names if name not in pipeline.table]
    if not more:
        return pipeline
    check_names("target", [name for name in more if not name.startswith("label_")], pipeline.table)
    values = pipeline.to_dict()
    values["targets"] = {**values.get("targets", {}), **dict.fromkeys(more, "label")}
    for option in OPTIONS:
        given: Any = values.get(option)
        if isinstance(given, Mapping) and "label" in given:
            values[option] = {**given, **dict.fromkeys(more, given["label"])}
    return type(pipeline).from_dict(values)
