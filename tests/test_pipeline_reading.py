"""A pipeline is read by the name of a preset, or from a file of TOML or JSON."""

import json

import pytest

import volaug
from volaug.pipeline.reading import PATCH_PRESETS, PRESETS, read_pipeline


@pytest.mark.parametrize("name", PRESETS)
def test_reads_presets(name):
    assert read_pipeline(name) == getattr(volaug.presets, name)()


def test_every_preset_is_named():
    found = {
        name
        for name, value in vars(volaug.presets).items()
        if getattr(value, "__module__", "") == "volaug.presets" and not name.startswith("_")
    }
    assert found == {*PRESETS, *PATCH_PRESETS}


def test_reads_toml_and_json(tmp_path):
    toml = tmp_path / "a pipeline.toml"
    toml.write_text(
        'format = "volaug.pipeline"\nversion = 1\nseed = 3\n'
        '[[transforms]]\ntype = "RandomRotation"\ndegrees = 12.0\n'
    )
    pipeline = volaug.Compose([volaug.RandomRotation(12.0)], seed=3)
    assert read_pipeline(toml) == pipeline
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(pipeline.to_dict()))
    assert read_pipeline(str(path)) == pipeline


@pytest.mark.parametrize("name", PATCH_PRESETS)
def test_says_that_a_preset_cuts_patches(name):
    with pytest.raises(ValueError, match=f"preset '{name}' cuts patches"):
        read_pipeline(name)


def test_says_which_preset_is_nearest():
    with pytest.raises(ValueError, match=r"unknown preset 'mild_mir'; did you mean 'mild_mri'\?"):
        read_pipeline("mild_mir")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory"),
        ("transforms = [", "must be TOML"),
        ('format = "volaug.pipeline"\nversion = 1\n[[transforms]]\ntype = "RandomFlipp"\n',
         "did you mean 'RandomFlip'"),
    ],
)  # fmt: skip
def test_names_the_file_that_is_wrong(tmp_path, text, message):
    path = tmp_path / "p.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_pipeline(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
