"""The disk cache: it is used, it is sound, and it is never fatal."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from numba import int8, int16
from numba.core.registry import cpu_target

import volaug
from support.kernel_cache import call_all, double, in_child, in_children
from support.poisons import other
from volaug.kernels.jit import cache as caches
from volaug.kernels.jit.cache import KernelCache

# A kernel of its own in a copy of the kernels' machinery: the real ones take seconds.
KERNELS = Path(volaug.__file__).parent / "kernels"
SCRIPT = """
import sys, warnings
warnings.simplefilter("always")
sys.path.insert(0, sys.argv[1])
from small import kernel, triple
print(kernel.double(21), sum(kernel.double.stats.cache_hits.values()))
assert triple.double(21) == 63
"""


@pytest.fixture
def small(tmp_path):
    """A package of two kernels of one name, and a helper, beside the real options and cache."""
    package = tmp_path / "small"
    (package / "jit").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name in ("options", "inlined", "cache", "packs", "versions", "trust", "undisturbed"):
        shutil.copy(KERNELS / "jit" / f"{name}.py", package / "jit" / f"{name}.py")
    (package / "helper.py").write_text(
        "from .jit.options import device\n\n@device\ndef twice(x):\n    return 2 * x\n"
    )
    (package / "kernel.py").write_text(
        "from .helper import twice\nfrom .jit.options import kernel\n\n"
        "@kernel\ndef double(x):\n    return twice(x)\n"
    )
    (package / "triple.py").write_text(
        "from .helper import twice\nfrom .jit.options import kernel\n\n"
        "@kernel\ndef double(x):\n    return 3 * x\n"
    )
    return package


def run(package, cache, **environment):
    """What the kernel returned in a fresh process, how often the cache served it, and warnings."""
    script = [sys.executable, "-c", SCRIPT, str(package.parent)]
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(script, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    value, hits = map(int, done.stdout.split())
    return value, hits, done.stderr


def kernels_in(cache):
    return sorted(Path(cache).rglob("*.kernel"))


@pytest.mark.slow
def test_a_kernel_is_loaded_until_a_source_changes(small, tmp_path):
    assert run(small, tmp_path / "cache") == (42, 0, "")
    assert run(small, tmp_path / "cache") == (42, 1, "")
    assert len(kernels_in(tmp_path / "cache")) == 2  # whose name and line are the same
    for file, before, after in (
        ("helper.py", "2 * x", "3 * x"),
        ("jit/options.py", '{"contract", "nsz"}', '{"contract"}'),
    ):
        text = (small / file).read_text()
        assert before in text
        (small / file).write_text(text.replace(before, after))
        assert run(small, tmp_path / "cache") == (63, 0, "")
        assert len(kernels_in(tmp_path / "cache")) == 2  # and the outdated ones are gone


@pytest.mark.slow
def test_an_edit_after_the_import_is_seen_by_the_next_process(small, tmp_path):
    """What was imported before it is not kept under the name of what came after it."""
    edit = """
import pathlib
helper = pathlib.Path(sys.argv[1], "small", "helper.py")
helper.write_text(helper.read_text().replace("2 * x", "3 * x"))
"""
    script = SCRIPT.replace("print(", f"{edit}print(", 1)
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script, str(small.parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == ["42", "0"]
    assert run(small, tmp_path / "cache") == (63, 0, "")


@pytest.mark.parametrize("attribute", ["__module__", "__qualname__"])
def test_what_a_kernel_is_makes_its_name(attribute, monkeypatch):
    def names(function):
        cache = KernelCache(function)
        processor = cpu_target.target_context.codegen().magic_tuple()
        return {cache._file_name(cache._subject(sig, processor)) for sig in ((int8,), (int16,))}

    def function(x):
        return x

    before = names(function)
    assert len(before) == 2
    assert names(function) == before
    with monkeypatch.context() as patch:
        patch.setattr(caches, "PYTHON", ("cpython-399", ""))
        assert not names(function) & before
    setattr(function, attribute, "other")
    assert not names(function) & before


def test_a_kernel_that_holds_more_than_its_source_is_not_kept():
    number = 3

    def closure(x):
        return x + number

    assert KernelCache(closure).cache_path is None


@pytest.mark.slow
def test_no_folder_that_can_be_written(small, tmp_path):
    obstacle = tmp_path / "a file where a folder should be"
    obstacle.touch()
    (small / "__pycache__").touch()
    nowhere = {name: str(obstacle) for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    for folder in (obstacle, ""):
        value, hits, warnings = run(small, folder, **nowhere)
        assert (value, hits) == (42, 0)
        assert warnings.count("RuntimeWarning") == 1  # for both kernels
        assert "volaug: cannot keep compiled kernels" in warnings


@pytest.mark.skipif(os.name != "posix", reason="homes by the environment")
@pytest.mark.slow
def test_a_user_without_a_home(small, tmp_path, monkeypatch):
    """The home is then "~" itself, which is no folder to make."""
    (small / "__pycache__").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "~/.cache")
    value, hits, warnings = run(small, "")
    assert (value, hits, warnings.count("RuntimeWarning")) == (42, 0, 1)
    assert not (tmp_path / "~").exists()


@pytest.mark.slow
def test_the_kernels_themselves_are_cached(tmp_path):
    code = (
        "import numpy, volaug; from volaug.kernels.values.relabel import replace_bits;"
        "pipeline = volaug.Compose([volaug.RemapLabels(1, new=2)], seed=0);"
        "pipeline(label=numpy.ones((4, 4, 4), numpy.uint8), index=0);"
        "print(sum(replace_bits.stats.cache_hits.values()))"
    )
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for hits in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            env=env,
            check=True,
        )
        assert done.stdout.strip() == hits


# --- in forks of this process, which has a compiler: a fresh one takes two seconds to load it


needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def both():
    return call_all([double, other])


@pytest.fixture
def filled(place):
    """A cache of two kernels, in which nothing is wrong."""
    place.file.unlink()
    assert in_child(both) == ([42, 63], 0, [])
    assert in_child(both) == ([42, 63], 2, [])
    return place


@needs_forks
@pytest.mark.parametrize("damage", ["truncated", "empty", "scribbled", "a folder"])
@pytest.mark.slow
def test_a_damaged_file_costs_one_warning(filled, damage):
    files = kernels_in(filled.cache)
    assert len(files) == 2
    for file in files:
        content = bytearray(file.read_bytes())
        if damage == "truncated":
            file.write_bytes(content[: len(content) // 2])
        elif damage == "empty":
            file.write_bytes(b"")
        elif damage == "scribbled":
            content[len(content) // 2] ^= 0xFF
            file.write_bytes(content)
        else:
            file.unlink()
            file.mkdir()
    values, hits, (message,) = in_child(both)  # one for both files
    assert (values, hits) == ([42, 63], 0)
    assert "kernel cache" in message
    if damage != "a folder":  # the files were written anew
        assert in_child(both) == ([42, 63], 2, [])


@needs_forks
def test_code_is_not_taken_from_a_folder_open_to_all(filled):
    filled.folder.chmod(filled.folder.stat().st_mode | stat.S_IWOTH)
    values, hits, (message,) = in_child(both)
    assert (values, hits) == ([42, 63], 0)
    assert "writable by everybody" in message


@needs_forks
def test_a_folder_that_lost_its_place(place):
    """Found writable, and gone when the kernel is to be kept: a full disk looks alike."""
    place.file.unlink()

    def lost():
        tempfile.mkstemp = lambda **options: os.open("/nowhere/at/all", os.O_RDONLY)
        return both()

    values, hits, messages = in_child(lost)
    assert (values, hits, len(messages)) == ([42, 63], 0, 1)
    assert kernels_in(place.cache) == []


@needs_forks
@pytest.mark.slow
def test_many_processes_fill_it_at_once(place):
    shutil.rmtree(place.cache.parent)
    for values, _, messages in in_children(both, 6):
        assert (values, messages) == ([42, 63], [])
    assert in_child(both) == ([42, 63], 2, [])
    assert not list(place.top.rglob("*.tmp"))
