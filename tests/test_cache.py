"""The disk cache, from fresh processes: it is used, it is sound, and it is never fatal."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from numba import int8, int16
from numba.core.registry import cpu_target

import volaug
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
    for name in ("options.py", "cache.py", "trust.py", "undisturbed.py"):
        shutil.copy(KERNELS / "jit" / name, package / "jit" / name)
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


def start(package, cache, **environment):
    script = [sys.executable, "-c", SCRIPT, str(package.parent)]
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    return subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


def run(package, cache, **environment):
    """What the kernel returned, how often the cache served it, and the warnings."""
    process = start(package, cache, **environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    value, hits = map(int, out.split())
    return value, hits, err


def kernels_in(cache):
    return sorted(Path(cache).rglob("*.kernel"))


@pytest.mark.slow
def test_the_second_process_loads_what_the_first_compiled(small, tmp_path):
    assert run(small, tmp_path / "cache") == (42, 0, "")
    assert run(small, tmp_path / "cache") == (42, 1, "")
    assert len(kernels_in(tmp_path / "cache")) == 2  # whose name and line are the same


@pytest.mark.slow
def test_an_edit_in_another_file_is_seen(small, tmp_path):
    run(small, tmp_path / "cache")
    helper = small / "helper.py"
    helper.write_text(helper.read_text().replace("2 * x", "3 * x"))
    assert run(small, tmp_path / "cache") == (63, 0, "")
    assert len(kernels_in(tmp_path / "cache")) == 2  # and the outdated one is gone


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
        cache, codegen = KernelCache(function), cpu_target.target_context.codegen()
        return {cache._file_name(cache._subject(sig, codegen)) for sig in ((int8,), (int16,))}

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
def test_changed_options_are_seen(small, tmp_path):
    run(small, tmp_path / "cache")
    options = small / "jit" / "options.py"
    options.write_text(options.read_text().replace('{"contract", "nsz"}', '{"contract"}'))
    assert run(small, tmp_path / "cache") == (42, 0, "")


@pytest.mark.parametrize("damage", ["truncated", "empty", "scribbled", "a folder"])
@pytest.mark.slow
def test_a_damaged_file_costs_one_warning(small, tmp_path, damage):
    run(small, tmp_path / "cache")
    for file in kernels_in(tmp_path / "cache"):
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
    value, hits, warnings = run(small, tmp_path / "cache")
    assert (value, hits) == (42, 0)
    assert warnings.count("RuntimeWarning") == 1  # for both files
    assert "kernel cache" in warnings
    if damage != "a folder":  # the files were written anew
        assert run(small, tmp_path / "cache") == (42, 1, "")


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
def test_a_folder_that_lost_its_place(small, tmp_path):
    """Found writable, and gone when the kernel is to be kept: a full disk looks alike."""
    script = f"""
import os, tempfile
tempfile.mkstemp = lambda **options: os.open("/nowhere/at/all", os.O_RDONLY)
{SCRIPT}"""
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", script, str(small.parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == ["42", "0"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert kernels_in(tmp_path / "cache") == []


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
@pytest.mark.slow
def test_code_is_not_taken_from_a_folder_open_to_all(small, tmp_path):
    run(small, tmp_path / "cache")
    folder = kernels_in(tmp_path / "cache")[0].parent
    folder.chmod(folder.stat().st_mode | stat.S_IWOTH)
    value, hits, warnings = run(small, tmp_path / "cache")
    assert (value, hits) == (42, 0)
    assert "writable by everybody" in warnings


@pytest.mark.slow
def test_many_processes_fill_it_at_once(small, tmp_path):
    processes = [start(small, tmp_path / "cache") for _ in range(6)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out.split()[0] == "42"
        assert err == ""
    assert run(small, tmp_path / "cache") == (42, 1, "")
    assert not list((tmp_path / "cache").rglob("*.tmp"))


@pytest.mark.slow
def test_the_kernels_themselves_are_cached(tmp_path):
    code = (
        "import numpy, volaug; from volaug.kernels.warp.tiles import warp_tiles;"
        "volaug.affine_transform(numpy.zeros((4, 4, 4), numpy.uint8), 0.5 * numpy.eye(3),"
        " interpolation='nearest'); print(sum(warp_tiles.stats.cache_hits.values()))"
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
