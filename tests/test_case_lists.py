"""Columns of a list that name files, and that the pipeline has no target for."""

import json
import re

import numpy as np
import pytest

from volaug.data.datasets.lists import CaseList

TARGETS = ("image", "label", "points")


@pytest.fixture
def scans(tmp_path):
    for name in ("t1", "flair", "label"):
        np.save(tmp_path / f"{name}.npy", np.zeros((4, 4, 4), np.float32))
    return tmp_path


def list_of(folder, text, name="cases.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        ("image,flair", "'flair' are left out"),
        ("image,lable", "'lable' are left out: .* did you mean 'label'"),
        ("image,Label", "'Label' are left out: .* did you mean 'label'"),
        ("image,flair,t1", "'flair', 't1' are left out"),
    ],
)
def test_a_note_names_columns_with_files_that_are_no_targets(scans, columns, hint):
    files = ",".join(["t1.npy", "label.npy", "flair.npy"][: columns.count(",") + 1])
    (note,) = CaseList(list_of(scans, f"{columns}\n{files}\n"), TARGETS).notes
    assert re.search(hint, note), note


def test_no_image_is_an_error_where_other_columns_name_files(scans):
    path = list_of(scans, "t1,flair,label\nt1.npy,flair.npy,label.npy\n")
    with pytest.raises(ValueError, match=r"no column is called 'image', and .*'t1', 'flair'"):
        CaseList(path, TARGETS)


def test_labels_alone_are_a_list(scans):
    assert CaseList(list_of(scans, "label\nlabel.npy\n"), TARGETS).notes == ()


@pytest.mark.parametrize("value", ["S01", "", "no such file.npy", ".", "x" * 5000, "a\0b"])
def test_columns_that_name_no_file_are_kept_without_a_word(scans, value):
    rows = [{"image": "t1.npy", "subject": value, "age": 41, "more": [], "ends": None}]
    path = list_of(scans, json.dumps(rows), "cases.json")
    assert CaseList(path, TARGETS).notes == ()


def test_a_list_of_channels_is_named_too(scans):
    rows = [{"image": "t1.npy", "others": ["flair.npy", "t1.npy"]}]
    (note,) = CaseList(list_of(scans, json.dumps(rows), "cases.json"), TARGETS).notes
    assert "'others'" in note
