import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rivals.summary import summary
from volaug import presets

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PRESETS = (ROOT / "docs" / "presets.md").read_text()
LOOPS = (ROOT / "docs" / "integrations.md").read_text()


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(code, **names):
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_numbers_are_those_of_the_record_that_the_chart_shows():
    (record,) = re.findall(r"\((docs/benchmarks/\S+)-jobs\.png\)", README)
    assert summary(ROOT / f"{record}.json") in README


@pytest.mark.oracle("nilearn")
@pytest.mark.slow
def test_the_pipeline_runs():
    code = blocks("python")[0]
    lines = [line for line in code.splitlines() if line and not line.startswith("from ")]
    assert len(lines) <= 10
    names = run(code)
    image, sample, record = names["image"], names["sample"], names["record"]
    assert record == sample.record
    kinds = ["RandomFlip", "RandomAffine", "RandomElastic", "RandomContrast"]
    assert [name for name, _ in record.steps] == kinds

    turned, labels = names["turned"], sample["label"]
    assert turned.shape == image.shape == labels.shape == (197, 233, 189)
    assert (turned.dtype, labels.dtype) == (np.float32, bool)
    assert np.corrcoef(turned.ravel(), record.warp.apply(image).ravel())[0, 1] > 0.999
    assert np.corrcoef(turned.ravel(), image.ravel())[0, 1] < 0.95
    assert ((names["other"]["image"] > 0.5) == labels).mean() > 0.98
    np.testing.assert_allclose(record.warp.points_to_input(names["moved"]), names["landmarks"])
    assert names["moved"][0, 0] < (image.shape[0] - 1) / 2  # from the right to the left
    assert (names["back"]["label"] == names["label"]).mean() > 0.98


def test_every_block_of_code_is_tested():
    assert len(blocks("python")) == 1
    assert len(README.splitlines()) <= 120


def test_the_page_on_presets_runs():
    image = np.random.default_rng(0).gamma(2.0, 40.0, (140, 150, 160)).astype(np.float32)
    label = np.zeros(image.shape, np.int16)
    plain, normalized = blocks("python", PRESETS)
    names = run(plain, image=image, label=label)
    assert names["sample"]["image"].mean() > 40
    sample = run(normalized, **names)["sample"]
    assert abs(sample["image"].mean()) < 0.1
    assert sample["image"].shape == (128, 128, 128)
    assert [each.shape[0] for each in sample["label"]] == [128, 64, 32]


def test_the_page_on_presets_has_every_preset_and_every_step_of_nnunet():
    for name in ("nnunet", "nnunet_elastic", "mild_mri", "strong_mri"):
        assert f"`presets.{name}`" in PRESETS
    for step in presets.nnunet(32, deep_supervision=[1], masked_channels=[0]).steps():
        assert f"`{type(step).__name__}" in PRESETS


def test_the_generator_of_the_page_on_training_loops_runs(capsys):
    """The other blocks of the page are run by the tests of each library."""
    (code,) = blocks("python", LOOPS.partition("## PyTorch")[0])
    names = run(code)
    assert names["images"].shape == names["labels"].shape == (2, 1, 32, 32, 32)
    assert names["coarse"].shape == (2, 1, 16, 16, 16)
    assert names["again"].batches == names["stream"].batches == 3
    assert "samples a second" in capsys.readouterr().out
