"""Every public object says what it takes, gives and raises, and every example runs."""

import dataclasses
import doctest
import importlib
import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import volaug

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # sphinx, which numpydoc imports, deprecates parts of itself
    from numpydoc.docscrape import get_doc_object
    from numpydoc.validate import Validator, validate

PACKAGE = Path(volaug.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"

CLASSES_AND_FUNCTIONS = [
    *(f"volaug.{name}" for name in volaug.__all__ if name not in ("__version__", "presets")),
    *(f"volaug.presets.{name}" for name in ("nnunet", "nnunet_elastic", "mild_mri", "strong_mri")),
    "volaug.keys.Key",
    "volaug.pipeline.targets.Target",
]
METHODS = {
    "volaug.Compose": "__call__ draw to_dict from_dict from_toml from_file",
    "volaug.Record": "apply invert seen to_dict to_json from_dict from_json",
    "volaug.Warp": "apply apply_all inverse points_to_input points_to_output boxes_to_input "
    "boxes_to_output jacobian_determinant min_jacobian_determinant source_box to_dict from_dict",
    "volaug.Stream": "close load_state_dict report state_dict",
    "volaug.integrations.torch.VolaugDataset": "set_epoch replay __getitem__",
    "volaug.integrations.torch.EpochSampler": "set_epoch",
    "volaug.integrations.torch.DeviceStream": "close load_state_dict report set_epoch state_dict",
    "volaug.integrations.monai.Volaugd": "__call__ inverse record_of",
    "volaug.integrations.nnunet.NnunetTransform": "get_parameters apply",
}
INTEGRATIONS = [
    "volaug.integrations.torch.VolaugDataset",
    "volaug.integrations.torch.EpochSampler",
    "volaug.integrations.torch.DeviceStream",
    "volaug.integrations.torch.StreamDataset",
    "volaug.integrations.monai.Volaugd",
    "volaug.integrations.torchio.RandomVolaug",
    "volaug.integrations.torchio.Volaug",
    "volaug.integrations.nnunet.NnunetTransform",
    "volaug.integrations.nnunet.training_transforms",
]
# numpydoc's checks that are off, of all objects and of methods.
OFF = {
    "ES01",  # a summary that says all needs no second paragraph
    "PR03",  # keyword-only arguments have no order; `p` and `name` come last in the text
    "SS05",  # takes a plural noun ("Coefficients of ...") for a verb in the third person
}
OFF_FOR_METHODS = {
    "SA01",  # the class says what is related
    "EX01",  # the class shows its methods at work
    "PR01",  # `inverse` and `__call__` of other libraries' classes: their parameters are known
}


class Documented(Validator):
    """numpydoc's validator, which reads the parameters of dataclasses from `__init__`."""

    def __init__(self, obj_name):
        super().__init__(get_doc_object(Validator._load_obj(obj_name)))

    @property
    def signature_parameters(self):
        if dataclasses.is_dataclass(self.obj):
            return tuple(inspect.signature(self.obj.__init__).parameters)[1:]
        # `*positions` takes what is passed by position to say that it has a name
        return tuple(name for name in super().signature_parameters if name != "*positions")


def with_library(name):
    """The name of a module or of its object, to be tested with the library that it is for."""
    _, package, module, *_ = [*name.split("."), "", ""]
    if package == "plotting":
        return pytest.param(name, marks=pytest.mark.oracle("matplotlib"))
    if package != "integrations" or not module:
        return name
    library = {"nnunet": "batchgeneratorsv2"}.get(module, module.partition("_")[0])
    return pytest.param(name, marks=pytest.mark.oracle(library))


def methods():
    return [f"{name}.{method}" for name, all_ in METHODS.items() for method in all_.split()]


@pytest.mark.parametrize(
    "name", [*map(with_library, [*CLASSES_AND_FUNCTIONS, *INTEGRATIONS, *methods()])]
)
def test_a_public_object_is_documented(name):
    is_method = name in methods()
    importlib.import_module(name.rsplit(".", 2 if is_method else 1)[0])
    found = validate(name, validator_cls=Documented)["errors"]
    off = OFF | OFF_FOR_METHODS if is_method else OFF
    if name.startswith(("volaug.presets.", "volaug.integrations.")):
        off = off | {"SA01"}  # presets name one another; what is related to integrations is theirs
    assert [f"{code}: {text}" for code, text in found if code not in off] == []


def modules_with_examples():
    for file in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in file.read_text(encoding="utf-8") and "nnunet_trainer" not in file.parts:
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts)


@pytest.mark.parametrize("name", [*map(with_library, modules_with_examples())])
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner, said = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF), []
    names = {"np": np, "volaug": volaug}
    tests = doctest.DocTestFinder().find(module, globs={**vars(module), **names})
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 0


def test_the_pages_list_every_public_object():
    listed = re.findall(r"^   ([a-zA-Z0-9_.]+)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    wanted = [*CLASSES_AND_FUNCTIONS, *INTEGRATIONS]
    assert sorted(f"volaug.{name}" for name in listed) == sorted(wanted)


@pytest.mark.parametrize("page", ["index.md", "own_steps.md", "test_time.md"])
def test_the_example_of_a_page_runs(page):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    names = {"__name__": page}
    exec(compile(code, page, "exec"), names)
    assert names["sample"]["image"].ndim == 3
    assert names["sample"].record.steps


def test_every_preset_is_checked():
    presets = importlib.import_module("volaug.presets")
    public = [name for name, item in vars(presets).items() if inspect.isfunction(item)]
    own = [n for n in public if getattr(presets, n).__module__ == presets.__name__ and n[0] != "_"]
    assert {f"volaug.presets.{name}" for name in own} <= set(CLASSES_AND_FUNCTIONS)
