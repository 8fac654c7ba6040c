"""The measurement of training steps: each way gives the batches that it says, and the table."""

import json
import re
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

from benchmarks.training import __main__ as training, report
from benchmarks.training.measure import Speed
from benchmarks.training.task import made_task
from benchmarks.training.ways.known import WAYS
from volaug import presets, set_num_threads

pytestmark = [
    pytest.mark.oracle("torch", "nilearn", "psutil"),
    pytest.mark.usefixtures("warmed_up"),
    pytest.mark.slow,
]

LIBRARIES = {"trainer": "nnunetv2", "nnunet": "nnunetv2", "monai": "monai", "torchio": "torchio"}


@pytest.fixture(autouse=True)
def _as_before():
    """MONAI's way turns off its metadata for the whole process."""
    yield
    set_num_threads(None)
    if "monai.data" in sys.modules:
        sys.modules["monai.data"].set_track_meta(True)


def ways():
    for name in WAYS:
        marks = [pytest.mark.oracle(LIBRARIES[name])] if name in LIBRARIES else []
        yield pytest.param(name, marks=marks)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", list(ways()))
def test_a_way_gives_the_batches_of_the_task(name):
    import torch

    task = made_task(16, 1, presets.nnunet, "cpu")
    with WAYS[name].opened(task) as batches:
        for _ in range(2):
            batch = next(batches)
            assert batch["image"].shape == (2, 1, 16, 16, 16)
            assert batch["image"].dtype == torch.float32
            assert [level.shape[-1] for level in batch["label"]] == [16, 8]
            assert all(level.shape[:2] == (2, 1) for level in batch["label"])
            assert 0 <= int(batch["label"][0].min()) <= int(batch["label"][0].max()) < 4
    assert WAYS[name].ahead(task) >= 1


def test_the_command_measures_and_writes(tmp_path, capsys):
    file = tmp_path / "speed.json"
    options = ["--device", "cpu", "--side", "16", "--seconds", "0.05", "--workers", "1"]
    assert training.main([*options, "--ways", "stream", "--json", str(file), "--markdown"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("| way ")
    assert "volaug Stream" in said
    content = json.loads(file.read_text())
    limit, stream = content["rows"]
    assert limit["share_of_limit"] == 1.0
    assert stream["steps_per_second"] > 0
    assert content["command"].startswith("python -m benchmarks.training --device cpu")
    assert {"machine", "versions", "network", "patch"} <= content.keys()


def test_a_row_is_the_median_of_its_rounds_beside_the_limit_before_each():
    def speed(steps, waited=0.0, cpu=4.0):
        return Speed(steps, 10.0, waited, cpu, 2 * 10**9)

    row = report.Row("way", 2, (speed(50, 5.0), speed(20, 1.0), speed(30, 2.0)),
                     (speed(100), speed(100), speed(40)))  # fmt: skip
    assert row.share == 0.5
    assert row.median("rate") == 3.0
    assert row.cells()[2:5] == ("3.00", "50 %", "20.0 %")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ways", "stream,dali"], "--ways must be of .*; got dali"),
        (["--side", "17"], "--side must be a multiple of 16, got 17"),
        (["--seconds", "0"], "--seconds must be over 0, got 0"),
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--device", "cuda"], "needs a card"),
    ],
)
def test_options_that_are_wrong(options, message, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        training.arguments(options)
    assert re.search(message, capsys.readouterr().err)
