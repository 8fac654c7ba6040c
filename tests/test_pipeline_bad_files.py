"""Files and text that are no pipeline are refused at once, however large or deep."""

import functools
import json
import pickle
import time

import pytest

from volaug import Compose, OneOf, RandomAffine, RandomFlip, Record

SHAPE = (6, 7, 9)


def nested(levels, kind=Compose):
    return functools.reduce(lambda inner, _: kind([inner]), range(levels), RandomFlip())


@pytest.mark.parametrize("kind", [Compose, OneOf])
def test_groups_may_be_nested_so_deep(kind):
    pipeline = Compose([nested(31, kind)], seed=0)
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline
    assert Compose.from_dict(pipeline.to_dict()) == pipeline
    pipeline.draw(SHAPE, index=0)
    message = "groups of transforms must be nested at most 32 deep"
    for levels in (33, 900):
        with pytest.raises(ValueError, match=message):
            nested(levels, kind)
    values = functools.reduce(
        lambda inner, _: {"type": kind.__name__, "transforms": [inner]},
        range(900),
        {"type": "RandomFlip"},
    )
    head = {"format": "volaug.pipeline", "version": 1, "transforms": [values]}
    with pytest.raises(ValueError, match=message) as caught:
        Compose.from_dict(head)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20_000) + " = 1",
        " . ".join(["'a'"] * 10_000) + " = 1",
        "[" + "\t.\t".join(['"a b"'] * 5_000) + "]",
        "[[" + ".".join("abcde" * 4_000) + "]]",
        "x = {" + ".".join(["a-b"] * 10_000) + " = 1}",
        "seed = 1\n" * 20_000,
        "a = " + "[" * 40_000,
        "a = " + "{a = " * 10_000,
    ],
)
def test_text_that_takes_long_to_read_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(ValueError, match="a pipeline must"):
        Compose.from_toml(text)
    assert time.process_time() - start < 2


def test_a_path_in_place_of_text(tmp_path):
    for path in ("pipe.toml", "folder/pipe.toml"):
        with pytest.raises(ValueError, match=f"got '{path}': for a file use Compose.from_file"):
            Compose.from_toml(path)
    with pytest.raises(TypeError, match=r"got PosixPath: for a file use Compose.from_file"):
        Compose.from_toml(tmp_path / "pipe.toml")
    with pytest.raises(ValueError, match=r"got 'record.json': for a file give its text"):
        Record.from_json("record.json")
    with pytest.raises(TypeError, match="got PosixPath: for a file give its text"):
        Record.from_json(tmp_path / "record.json")


def test_pipelines_from_files(tmp_path):
    pipeline = Compose([RandomFlip(0), OneOf([RandomAffine(p=1)])], seed=3)
    (tmp_path / "a.json").write_text(json.dumps(pipeline.to_dict()), encoding="utf-8")
    text = 'format = "volaug.pipeline"\nversion = 1\nseed = 3\n[[transforms]]\ntype = "RandomFlip"'
    (tmp_path / "a.toml").write_text(text + '\nname = "Spiegelung Ö"', encoding="utf-8")
    assert Compose.from_file(tmp_path / "a.json") == pipeline
    assert Compose.from_file(str(tmp_path / "a.json")) == pipeline
    assert Compose.from_file(tmp_path / "a.toml").transforms[0].name == "Spiegelung Ö"
    with pytest.raises(ValueError, match=r"must end in .toml or .json, got 'a.yaml'"):
        Compose.from_file("a.yaml")
    with pytest.raises(TypeError, match="path must be the path of a file, got int"):
        Compose.from_file(3)
    with pytest.raises(FileNotFoundError):
        Compose.from_file(tmp_path / "b.toml")
    (tmp_path / "c.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="a pipeline must be JSON"):
        Compose.from_file(tmp_path / "c.json")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"d.toml must be text in UTF-8"):
        Compose.from_file(tmp_path / "d.toml")
