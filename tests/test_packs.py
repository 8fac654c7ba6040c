"""Kernels compiled ahead for a level of processors: made, loaded, and refused."""

import ast
import json
import os
import pickle
import platform
import shutil
import subprocess
import sys
import time

import pytest

from support.kernel_cache import NOBODY, as_root
from volaug.compilation import pack_making
from volaug.compilation.pack_making import make_pack
from volaug.kernels.jit import packs

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"), reason="no level is for it"
)

SUPPORTED = packs.supported_levels()
needs_a_level = pytest.mark.skipif(not SUPPORTED, reason="the processor is older than all levels")

# Few kernels, since each is compiled here: a turn, and a warp of each kind.
SCRIPT = """
import hashlib, sys, warnings
warnings.simplefilter("always")
import numpy as np
import volaug
volume = np.random.default_rng(0).random((40, 41, 42), np.float32)
flip = np.diag((1, 1, -1)), (0, 0, 41)
points = np.random.default_rng(1).uniform(-2, 2, (3, 5, 6, 7))
digest = hashlib.sha256(volaug.affine_transform(volume, *flip, threads=1).tobytes())
if sys.argv[1:] == ["warps"]:
    matrix = np.array([[0.9, 0.1, 0], [-0.2, 1.1, 0.1], [0, 0.05, 0.8]])
    for threads in (1, 2):
        digest.update(volaug.affine_transform(volume, matrix, threads=threads).tobytes())
        digest.update(volaug.elastic_deform(volume, points, threads=threads).tobytes())
print(digest.hexdigest())
"""


def run(cache, folder, *arguments):
    """What a process calculates with a folder of packs, how much it compiled, and what it said."""
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "VOLAUG_PACKS": str(folder)}
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    return done.stdout, len([*cache.rglob("*.kernel")]), done.stderr


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with a pack of the best level of this processor, which one worker makes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / "shared-packs", shared / "shared-packs-done"
    try:
        folder.mkdir()
    except FileExistsError:
        while not done.exists():
            time.sleep(0.1)
        return folder
    with pytest.MonkeyPatch.context() as patch:
        keep_some(patch)
        try:
            assert make_pack(SUPPORTED[0], folder, ["float32"]) == folder / SUPPORTED[0]
        finally:
            done.touch()
    return folder


def keep_some(patch, *names):
    """Let packs be made of the kernels that the script calls, or of those of some names."""
    code = (
        f"{SCRIPT}\nfrom volaug.kernels.jit.ahead import compiled_signatures as all\nprint(all())"
    )
    command = [sys.executable, "-c", code, "warps"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    listed = ast.literal_eval(done.stdout.splitlines()[-1])
    kept = [one for one in listed if not names or pickle.loads(one)[1] in names]
    patch.setattr(pack_making, "warmup", lambda dtypes, **options: 0.0)
    patch.setattr(pack_making, "signatures_for", lambda dtypes: kept)


@pytest.fixture
def pack(folder, tmp_path):
    """A copy of the pack, to be spoiled; its parent is what VOLAUG_PACKS names."""
    return shutil.copytree(folder / SUPPORTED[0], tmp_path / "packs" / SUPPORTED[0])


@pytest.fixture(scope="session")
def flipped(tmp_path_factory):
    """What the flip gives by kernels compiled for this processor."""
    return run(tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("no packs"))[0]


@needs_a_level
@pytest.mark.slow
def test_a_pack_gives_the_same_bits_and_compiles_nothing(folder, tmp_path):
    own = subprocess.run(  # by kernels for this processor, which other tests have compiled
        [sys.executable, "-c", SCRIPT, "warps"], capture_output=True, text=True, check=True
    )
    assert run(tmp_path / "empty", folder, "warps") == (own.stdout, 0, "")


def truncated(pack):
    for file in pack.glob("reverse_planes-*"):
        file.write_bytes(file.read_bytes()[:-7])
    return "cannot load reverse_planes from the pack"


def damaged(pack):
    for file in pack.glob("reverse_planes-*"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(bytes(content))
    return "the file is damaged"


def renamed(pack):
    (other,) = pack.glob("linear_row-*")
    (file,) = pack.glob("reverse_planes-*")
    shutil.copy(other, file)
    return "the file is of another kernel"


def of_another(name, value, message):
    def spoil(pack):
        summary = json.loads((pack / packs.SUMMARY).read_text())
        (pack / packs.SUMMARY).write_text(json.dumps(summary | {name: value}))
        return message

    spoil.__name__ = f"of_another_{name}"
    return spoil


def no_summary(pack):
    (pack / packs.SUMMARY).write_text("{")
    return "cannot be used"


def a_list(pack):
    (pack / packs.SUMMARY).write_text("[]")
    return f"{packs.SUMMARY} is damaged"


def open_to_all(pack):
    pack.chmod(0o777)
    return "is writable by everybody"


def not_a_folder(pack):
    shutil.rmtree(pack.parent)
    return "VOLAUG_PACKS is not a folder"


def given_away(pack):
    for file in (pack, *pack.iterdir()):
        os.chown(file, NOBODY, NOBODY)
    return "belongs to another user"


@needs_a_level
@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        truncated,
        damaged,
        renamed,
        of_another("numba", "0.1", "they are for numba 0.1, and this is"),
    ],
)
def test_a_pack_that_cannot_be_used_costs_one_line_and_a_compilation(
    spoil, pack, flipped, tmp_path
):
    message = spoil(pack)
    result, compiled, said = run(tmp_path / "cache", pack.parent)
    assert result == flipped
    assert compiled == 1
    assert said.count("RuntimeWarning") == 1
    assert message in said


@needs_a_level
@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        of_another("numba", "0.1", "they are for numba 0.1, and this is numba"),
        of_another("llvmlite", None, "they are for llvmlite None"),
        of_another("python", "cpython-399", "they are for python cpython-399"),
        of_another("numpy", "3", "they are for numpy 3"),
        of_another("kernels", "0", "of other sources of volaug"),
        no_summary,
        a_list,
        not_a_folder,
        pytest.param(open_to_all, marks=pytest.mark.skipif(os.name != "posix", reason="modes")),
        pytest.param(given_away, marks=as_root),
    ],
)
def test_a_pack_that_is_not_for_this_process_is_left_out_with_one_line(spoil, pack, monkeypatch):
    monkeypatch.setenv("VOLAUG_PACKS", str(pack.parent))
    message, lines = spoil(pack), []
    assert packs.usable_packs.__wrapped__(lines.append) == ()
    (line,) = lines
    assert message in line
    assert str(pack.parent) in line


@needs_a_level
@pytest.mark.slow
def test_a_pack_for_instructions_that_the_processor_lacks_is_left_alone(folder, monkeypatch):
    monkeypatch.setenv("VOLAUG_PACKS", str(folder))
    usable = packs.usable_packs.__wrapped__
    assert [place.name for _, place, _ in usable(pytest.fail)] == [SUPPORTED[0]]
    architecture, features = packs._host()
    for missing in packs.LEVELS[SUPPORTED[0]].features:
        monkeypatch.setattr(packs, "_host", lambda m=missing: (architecture, features - {m}))
        assert usable(pytest.fail) == ()


@pytest.mark.slow
@pytest.mark.parametrize("level", packs.levels_of_architecture())
def test_any_processor_compiles_for_every_level_of_its_architecture(level, monkeypatch, tmp_path):
    keep_some(monkeypatch, "reverse_planes")
    made = make_pack(level, tmp_path, ["float32"])
    assert [file.suffix for file in sorted(made.iterdir())] == [".json", ".kernel"]
    before = {file.name for file in made.iterdir()}
    (made / "outdated.kernel").touch()
    assert make_pack(level, tmp_path, ["float32"]) == made
    assert {file.name for file in made.iterdir()} == before


def test_what_no_pack_is_made_of(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_making, "warmup", pytest.fail)
    for level in ("x86-64-v9", "generic"):
        with pytest.raises(ValueError, match=f"level must be one of .*, got '{level}'"):
            make_pack(level, tmp_path, ["float32"])
    foreign = next(name for name in packs.LEVELS if name not in packs.levels_of_architecture())
    with pytest.raises(ValueError, match="level must be one of"):
        make_pack(foreign, tmp_path, ["float32"])
    with pytest.raises(ValueError, match="dtype must be one of"):
        make_pack(packs.levels_of_architecture()[-1], tmp_path, ["complex64"])


@needs_a_level
@pytest.mark.slow
def test_a_pack_that_cannot_be_written(tmp_path, monkeypatch):
    keep_some(monkeypatch, "reverse_planes")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_pack(SUPPORTED[0], tmp_path / "file", ["float32"])


@pytest.mark.slow
def test_kernels_that_do_not_compile(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_making, "signatures_for", lambda dtypes: [b"no pickle"])
    with pytest.raises(RuntimeError, match="1 of 1 kernels were not compiled"):
        make_pack(packs.levels_of_architecture()[0], tmp_path, ["float32"])
    assert not [*tmp_path.iterdir()]


@needs_a_level
def test_who_names_a_processor_gets_kernels_for_it(folder, monkeypatch):
    monkeypatch.setenv("VOLAUG_PACKS", str(folder))
    monkeypatch.setattr("numba.config.CPU_NAME", "generic")
    assert packs.usable_packs.__wrapped__(pytest.fail) == ()


@pytest.mark.parametrize("triple", ["arm64-apple-darwin23.1.0", "aarch64-unknown-linux-gnu"])
def test_every_64_bit_arm_processor_has_its_level(triple, monkeypatch):
    """Also where LLVM does not list what it has, as in an emulator."""
    monkeypatch.setattr(packs.binding, "get_host_cpu_features", lambda: {"aes": False})
    monkeypatch.setattr(packs.binding, "get_process_triple", lambda: triple)
    monkeypatch.setattr(packs, "_host", packs._host.__wrapped__)
    assert packs.supported_levels() == ["aarch64"]


def test_levels_of_the_table_are_known_to_llvm():
    """A wrong name would be ignored with a line on standard error, and compile for less."""
    from llvmlite import binding

    known = set(binding.get_host_cpu_features()) | packs._host()[1]
    for name in packs.levels_of_architecture():
        assert set(packs.LEVELS[name].features) <= known, name


@pytest.mark.slow
def test_a_pack_holds_what_its_dtypes_need_and_nothing_else(warmed_up):
    of_floats = pack_making.signatures_for(["float32"])
    of_both = pack_making.signatures_for(["float32", "uint8"])
    assert set(of_floats) < set(of_both)
    assert len(of_floats) == len(set(of_floats)) == 27
