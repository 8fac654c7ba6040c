"""Code that others put into the disk cache is not executed, and stops no program."""

import importlib.util
import os
import pickle
import shutil
import sys
from pathlib import Path

import numba
import pytest

from support.kernel_cache import NOBODY, Evil, as_root, call, in_child, subject_of
from support.poisons import POISONS
from volaug.kernels.jit import cache as caches, trust
from volaug.kernels.jit.options import kernel

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes")


def test_the_poison_works_where_it_is_trusted(place):
    """Or else all that follows proves nothing."""
    value, _, (message,) = in_child(call)
    assert value == 42
    assert "cannot load" in message  # a folder that was made is no kernel
    assert place.mark.exists()


@as_root
@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.slow
def test_poison_costs_one_warning(place, poison):
    POISONS[poison](place)
    value, hits, messages = in_child(call)
    assert not place.mark.exists()
    assert (value, hits) == (42, 0)
    assert len(messages) == 1
    assert messages[0].startswith("volaug: cannot ")


@as_root
@pytest.mark.parametrize("bits", [0o777, 0o775, None])
@pytest.mark.slow
def test_poison_beside_the_source(place, monkeypatch, bits):
    """Where NUMBA_CACHE_DIR is not set, the user's own cache is the next to be asked."""
    function = beside_its_source(place, monkeypatch)
    folder = place.top / "package" / "__pycache__"
    folder.mkdir()
    assert in_child(lambda: call(function)) == (42, 0, [])
    (file,) = folder.iterdir()
    seal = caches.KernelCache(function)
    subject = subject_of(seal, kernel(function))
    file.write_bytes(seal._seal(subject, pickle.dumps(Evil(place.mark))))
    if bits is None:
        os.chown(folder, NOBODY, NOBODY)
    else:
        folder.chmod(bits)
    value, hits, messages = in_child(lambda: call(function))
    assert not place.mark.exists()
    assert (value, hits, len(messages)) == (42, 0, 1)
    assert list((place.top / "home").rglob("*.kernel"))
    file.unlink()  # nothing is poisoned any more: the folder is passed by without a word
    assert in_child(lambda: call(function)) == (42, 1, [])
    assert not list(folder.iterdir())


def beside_its_source(place, monkeypatch):
    """A function whose source lies in a package of its own, and a home of its own."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.top / "home"))
    source = place.top / "package" / "beside.py"
    source.parent.mkdir()
    source.write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("beside", source)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "beside", module)
    spec.loader.exec_module(module)
    return module.double


# --- what is opened is what is looked at


@as_root
def test_a_file_that_is_exchanged_while_it_is_opened(place, monkeypatch):
    good = place.top / "good"
    shutil.copy(place.file, good)
    os.chown(place.file, NOBODY, NOBODY)
    really_open = os.open

    def open_and_exchange(path, *arguments, **options):
        descriptor = really_open(path, *arguments, **options)
        if Path(path) == place.file:
            os.replace(good, place.file)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_exchange)
    with pytest.raises(trust.UntrustedError):
        trust.read(place.file)
    assert not good.exists()
