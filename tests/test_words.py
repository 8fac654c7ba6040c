"""The API speaks the words of MONAI, TorchIO and scipy: none of those that volaug once had."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

import volaug
from volaug import presets
from volaug.transforms.registry import OPERATIONS

PACKAGE = Path(volaug.__file__).parent

# What has a better word in the field, and nowhere names anything public.
OLD_WORDS = {
    "apart", "deviation", "deviations", "shift", "even_in", "pull_points", "map_points",
    "pull_boxes", "map_boxes", "min_jacobian", "ReplaceLabel", "Relabel", "Numbers", "Place",
    "places", "Layout", "least", "greatest", "most", "MOST", "unfolding_factor", "FREE_REACH",
    "centre", "neighbour", "artefact", "logarithm", "inverse",
}  # fmt: skip
# Names of functions and classes anywhere in volaug.
OLD_DEFINITIONS = OLD_WORDS - {"inverse"} | {
    "frozen", "made", "shallow", "check_known", "straight", "curved", "remapped", "line", "curve",
    "remap", "noise", "mix", "mix_lanes", "add_pair", "Apart",
}  # fmt: skip
OLD_MODULES = {"plain", "functions", "calls", "runs", "elements", "label", "labels", "layout"}


def public_callables():
    """Public functions and classes, and the public methods of the latter, by their names."""
    found = {name: getattr(volaug, name) for name in volaug.__all__ if name not in SKIPPED}
    found |= {f"presets.{name}": getattr(presets, name) for name in PRESETS}
    for owner, item in list(found.items()):
        if inspect.isclass(item):
            methods = inspect.getmembers(item, inspect.isroutine)
            found |= {f"{owner}.{n}": m for n, m in methods if not n.startswith("_")}
    return found


SKIPPED = ("__version__", "presets")
PRESETS = ("nnunet", "nnunet_elastic", "mild_mri", "strong_mri")


def parameters(item):
    try:
        return list(inspect.signature(item).parameters.values())
    except ValueError:  # of a method of dict
        return []


def test_public_names_and_parameters_are_the_fields():
    for name, item in public_callables().items():
        words = {*name.split("."), *(parameter.name for parameter in parameters(item))}
        if name.endswith("Warp.inverse"):
            words.discard("inverse")
        assert not words & OLD_WORDS, name


def test_records_have_the_same_words():
    for name, operation in OPERATIONS.items():
        assert not {name, *(item.name for item in dataclasses.fields(operation))} & OLD_WORDS


def test_modules_and_definitions_have_them_too():
    for file in PACKAGE.rglob("*.py"):
        assert file.stem not in OLD_MODULES, file
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name.lstrip("_") not in OLD_DEFINITIONS, f"{file}: {node.name}"


@pytest.mark.parametrize("kind", [n for n in volaug.__all__ if n.startswith("Random")])
def test_steps_take_one_argument_by_position(kind):
    by_position = [
        p for p in parameters(getattr(volaug, kind)) if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    assert len(by_position) == 1
