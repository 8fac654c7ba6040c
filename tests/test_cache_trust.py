"""The disk cache trusts what root, the user and the package's owner have built."""

import os
import shutil
from dataclasses import dataclass

import numba
import pytest

from support.kernel_cache import NOBODY, as_root, call, in_child
from support.poisons import foreign_above, given_away, moved
from volaug.kernels.jit import trust

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes")


def filled(place):
    """The cache again, with what the kernel really is."""
    place.file.unlink()
    assert in_child(call) == (42, 0, [])
    return place


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    return call()


@as_root
def test_what_root_has_built_serves_every_user(place):
    """As in an image: whatever root makes with the usual umask can be read."""
    shutil.rmtree(place.cache)
    before = os.umask(0o022)
    try:
        assert in_child(call) == (42, 0, [])
    finally:
        os.umask(before)
    assert in_child(as_nobody) == (42, 1, [])


@as_root
def test_a_read_only_cache_is_loaded_and_left_alone(place):
    filled(place)
    for path, bits in ((place.file, 0o444), (place.folder, 0o555), (place.cache, 0o555)):
        path.chmod(bits)
    before = place.folder.stat().st_mtime_ns
    assert in_child(as_nobody) == (42, 1, [])
    assert place.folder.stat().st_mtime_ns == before


@as_root
@pytest.mark.slow
def test_what_the_owner_of_the_package_has_built(place, monkeypatch):
    filled(place)
    given_away("file", "folder", "cache")(place)
    foreign_above(place)
    _, hits, messages = in_child(call)
    assert (hits, len(messages)) == (0, 1)
    monkeypatch.setattr(trust, "_owner_of_package", lambda: NOBODY)
    filled(place)
    assert in_child(call) == (42, 1, [])


def test_a_folder_in_a_sticky_one(place):
    filled(place)
    place.cache.chmod(0o1777)
    place.folder.chmod(0o700)
    place.file.chmod(0o600)
    assert in_child(call) == (42, 1, [])


@pytest.mark.parametrize("name", ["folder", "cache"])
def test_own_links_to_own_folders(place, name):
    filled(place)
    path, target = moved(place, name)
    path.symlink_to(target)
    assert in_child(call) == (42, 1, [])


def test_a_relative_folder(place, monkeypatch):
    filled(place)
    monkeypatch.chdir(place.top)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "above/../above/cache")
    assert in_child(call) == (42, 1, [])


@dataclass
class Entry:
    pw_name: str = "ann"
    pw_gid: int = 1000
    gr_name: str = "ann"
    gr_mem: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("entry", "user", "private"),
    [
        (Entry(), 1000, True),
        (Entry(gr_mem=("ann",)), 1000, True),
        (Entry(gr_mem=("ann", "bob")), 1000, False),
        (Entry(gr_mem=("bob",)), 1000, False),
        (Entry(gr_name="staff"), 1000, False),
        (Entry(pw_gid=100), 1000, False),
        (Entry("root", 0, "root"), 0, False),
        (None, 1000, False),
    ],
)
def test_a_group_of_the_user_alone_may_write(monkeypatch, entry, user, private):
    import grp
    import pwd

    def known(number):
        if entry is None:
            raise KeyError(number)
        return entry

    monkeypatch.setattr(grp, "getgrgid", known)
    monkeypatch.setattr(pwd, "getpwuid", known)
    trust._is_private.cache_clear()
    try:
        assert trust._is_private(entry.pw_gid if entry and user == 0 else 1000, user) is private
    finally:
        trust._is_private.cache_clear()
