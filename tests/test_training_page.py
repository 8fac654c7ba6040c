"""The code of docs/training.md runs, and that of the other loops with their libraries."""

import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch")

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = [pytest.mark.slow, pytest.mark.oracle("torch")]


def blocks(page, section=""):
    text = (DOCS / page).read_text()
    if section:
        (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(code, names):
    exec(compile(code, "page", "exec"), names)


# torch warns of more workers than processors
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_the_page_runs():
    names = {}
    for code in blocks("training.md"):
        run(code, names)
        assert names["image"].shape == (2, 1, 32, 32, 32)
    assert names["batches"].batches == 6


OTHERS = {"ignite": "Engine", "accelerate": "Accelerator", "transformers": "StreamTrainer"}


@pytest.mark.parametrize("library", OTHERS)
def test_other_loops(library, tmp_path, monkeypatch):
    pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    shared, *loops = blocks("integrations.md", "Other loops")
    assert len(loops) == len(OTHERS)
    (code,) = [loop for loop in loops if f"{OTHERS[library]}(" in loop]
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these libraries deprecate parts of torch and of their own
        run(shared + code, names)
    if library == "ignite":
        assert names["state"].iteration == 10
    if library == "accelerate":
        assert names["batches"].batches == 5
    if library == "transformers":
        assert names["trainer"].state.global_step == 10
        assert (tmp_path / "checkpoints" / "checkpoint-10").is_dir()
