"""The record of a comparison: raw times in a file, pictures, and the page of all records."""

import dataclasses
import json

import pytest

from benchmarks.rivals import charts, page, record
from benchmarks.rivals.measure import Row
from benchmarks.rivals.reference import Difference

pytestmark = pytest.mark.oracle("nilearn", "SimpleITK")


def row(engine, seconds, job="affine", voxels=10**6):
    difference = Difference(1e-7, 1e-3, False)
    return Row(job, engine, "1.0", 2, voxels, (difference,), [seconds, 2 * seconds], "best")


RUNS = [
    record.Run(
        256,
        2,
        [
            row("volaug", 0.01),
            row("volaug, new array", 0.005),
            row("np.copyto (no warp)", 0.001),
            row("scipy.ndimage, slabs", 0.2),
            row("scipy.ndimage", 0.4),
            row("torch (grid given)", 0.3),
            row("volaug", 0.02, "4 channels"),
        ],
    ),
    record.Run(64, 2, [row("volaug", 0.001), row("scipy.ndimage", 0.1)]),
    record.Run(256, 1, [row("volaug", 0.02), row("scipy.ndimage", 0.4)]),
]


@pytest.fixture
def measured():
    return record.record_of(RUNS, ["--report", "some folder"], "What the numbers are.")


def test_a_record_is_read_as_it_was_written(measured, tmp_path):
    path = record.write(measured, tmp_path)
    assert record.read(path) == measured
    assert path.name.startswith(measured.date)
    assert "--report 'some folder'" in path.read_text()
    assert '"seconds": [0.01, 0.02]' in path.read_text()  # short enough to be looked at


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"format": "other", "version": 1}))
    with pytest.raises(ValueError, match=r"other\.json must be of volaug\.rivals, version 1"):
        record.read(path)
    with pytest.raises(ValueError, match="must hold records"):
        page.write_page(tmp_path / "empty")


def test_the_fastest_row_of_each_library_is_drawn():
    jobs = charts.best_of_each(RUNS[0].rows)
    assert set(jobs) == {"affine"}  # nobody else was timed with 4 channels
    found = {name: row.typical for name, row in jobs["affine"].items()}
    assert found == {"volaug": 0.01, "scipy": 0.2, "torch": 0.3}


def test_series(measured):
    assert charts.series(measured, "affine", "side") == {
        "volaug": [(64, 1.0), (256, 10.0)],
        "scipy": [(64, 100.0), (256, 200.0)],
        "torch": [(256, 300.0)],
        "np.copyto": [(256, 1.0)],
    }
    assert charts.series(measured, "affine", "threads")["volaug"] == [(1, 20.0), (2, 10.0)]


@pytest.mark.slow
def test_the_page_has_all_records_the_latest_first(measured, tmp_path):
    for processor in ("Some Xeon", "AMD (R) EPYC"):
        record.write(dataclasses.replace(measured, processor=processor), tmp_path)
    older = dataclasses.replace(measured, date="2026-01-02", runs=RUNS[:1])
    record.write(older, tmp_path)
    text = page.write_page(tmp_path).read_text()
    places = [text.index(f"## {name}") for name in ("Some Xeon", "AMD (R) EPYC")]
    assert text.index("2026-01-02") > max(places)
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert len(pictures) == 3 + 3 + 1  # of the older one, no other side or threads
    assert all(f"{{image}} {name}" in text for name in pictures)
    assert "| affine | volaug " in " ".join(text.split())
