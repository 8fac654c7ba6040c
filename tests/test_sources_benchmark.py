"""The measurement of streams from files."""

import json

import pytest

from benchmarks import sources

FORMATS = {"npy": (), "nifti": ("nibabel",), "zarr": ("zarr",), "hdf5": ("h5py",),
           "blosc2": ("blosc2", "nnunetv2")}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.oracle(*FORMATS[n], "nilearn")) for n in FORMATS]
)
@pytest.mark.slow
def test_a_format_is_measured_beside_memory(name, tmp_path, capsys):
    file = tmp_path / "sources.json"
    options = ["--cases", "2", "--cached", "1", "--scale", "4", "--side", "16", "--seconds", "0.05"]
    assert sources.main([*options, "--pairs", "1", "--formats", name, "--json", str(file)]) == 0
    assert sources.FORMATS[name].title in capsys.readouterr().out
    (row,) = json.loads(file.read_text())["rows"]
    assert row["of_memory"] > 0
    assert row["bound"] in ("the consumer", "reading", "drawing", "augmenting")
