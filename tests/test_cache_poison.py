"""Ways to put code into the disk cache: none is executed, and none stops a program.

Each is tried in a forked child, whose cache is filled with a file that is right in all but
where it lies, whose it is, or what it is of. Loaded, it leaves a mark.
"""

import contextlib
import importlib.util
import os
import pickle
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numba
import pytest
from numba import int64

from volaug.kernels.jit import cache as caches, trust
from volaug.kernels.jit.options import kernel

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)

NOBODY = 65534
SECONDS = 60  # until a child is taken to hang


def double(x):
    return 2 * x


def other(x):
    return 3 * x


def subject_of(cache, dispatcher, signature=(int64,)):
    return cache._subject(signature, dispatcher.targetctx.codegen())


@dataclass
class ChannelId:
    """A cache of one kernel: top / cache / folder / file."""

    top: Path
    mark: Path
    cache: Path
    folder: Path
    file: Path

    def evil(self, subject=None, version=None):
        """The content of a file that leaves the mark when it is loaded."""
        dispatcher = kernel(double)
        seal = caches.KernelCache(double)
        seal._version = version or seal._version
        return seal._seal(subject or subject_of(seal, dispatcher), pickle.dumps(Evil(self.mark)))


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    """Children inherit a compiler that is ready, which takes a second to load."""
    numba.njit(double)(1)


@pytest.fixture
def place(monkeypatch):
    """A poisoned cache that anybody can read, in which only the poison is wrong."""
    top = Path(tempfile.mkdtemp(prefix="volaug-poison-"))
    top.chmod(0o755)
    cache = top / "above" / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(cache))
    dispatcher = kernel(double)
    seal = caches.KernelCache(double)
    (folder,) = seal._folders()
    folder.mkdir(parents=True)
    file = folder / seal._file_name(subject_of(seal, dispatcher))
    place = ChannelId(top, top / "mark", cache, folder, file)
    file.write_bytes(place.evil())
    for path in (cache.parent, cache, folder):
        path.chmod(0o755)
    file.chmod(0o644)
    yield place
    shutil.rmtree(top)


def in_child(action):
    """What an action returns in a forked child, which must neither hang nor crash."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writer, pickle.dumps(action()))
            os._exit(0)
        os._exit(1)
    os.close(writer)
    give_up = time.monotonic() + SECONDS
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("it hangs")
        time.sleep(0.002)
    with open(reader, "rb") as stream:
        answer = stream.read()
    assert ended[1] == 0, "it crashed"
    return pickle.loads(answer)


def call(function=double):
    """Of a fresh process: the result, how often the cache served, and the warnings."""
    caches._warned = False
    dispatcher = kernel(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = dispatcher(21)
    return value, sum(dispatcher.stats.cache_hits.values()), [str(w.message) for w in caught]


# --- whose it is, and who can write to it


def given_away(*names):
    def poison(place):
        for name in names:
            os.chown(getattr(place, name), NOBODY, NOBODY)

    return poison


def mode(name, bits):
    return lambda place: getattr(place, name).chmod(bits)


def above(bits):
    return lambda place: place.cache.parent.chmod(bits)


def foreign_above(place):
    os.chown(place.cache.parent, NOBODY, NOBODY)


def foreign_folder_in_a_sticky_one(place):
    place.cache.chmod(0o1777)
    os.chown(place.folder, NOBODY, NOBODY)


def foreign_file_in_a_sticky_folder(place):
    place.folder.chmod(0o1777)
    os.chown(place.file, NOBODY, NOBODY)


# --- links


def moved(place, name):
    """Where a part of the cache has been moved to, for a link to be put in its place."""
    path, target = getattr(place, name), place.top / "elsewhere"
    path.rename(target)
    return path, target


def link_to_foreign(name):
    def poison(place):
        path, target = moved(place, name)
        os.chown(target, NOBODY, NOBODY)
        path.symlink_to(target)

    return poison


def link_to_writable(name, bits):
    def poison(place):
        path, target = moved(place, name)
        target.chmod(bits)
        path.symlink_to(target)

    return poison


def foreign_link(name):
    def poison(place):
        path, target = moved(place, name)
        path.symlink_to(target)
        os.lchown(path, NOBODY, NOBODY)

    return poison


def link_into_a_writable_folder(place):
    path, target = moved(place, "folder")
    den = place.top / "den"
    den.mkdir()
    den.chmod(0o777)
    target.rename(den / "cache")
    path.symlink_to(den / "cache")


def relative_link(place):
    path, target = moved(place, "cache")
    os.chown(target, NOBODY, NOBODY)
    path.symlink_to(Path("..") / target.name)


def chain_of_links(place):
    path, target = moved(place, "cache")
    os.chown(target, NOBODY, NOBODY)
    (place.top / "second").symlink_to("elsewhere")
    path.symlink_to(place.top / "second")


def parent_of_a_link(place):
    """`link/..` is the parent of what the link leads to."""
    (place.top / "foreign" / "deep").mkdir(parents=True)
    shutil.move(place.cache, place.top / "foreign" / "cache")
    os.chown(place.top / "foreign", NOBODY, NOBODY)
    (place.top / "link").symlink_to(place.top / "foreign" / "deep")
    numba.config.CACHE_DIR = str(place.top / "link" / ".." / "cache")


def loop_of_links(place):
    path, _ = moved(place, "folder")
    path.symlink_to(path)


def dangling_link(place):
    place.file.unlink()
    place.file.symlink_to(place.top / "nothing")


def own_file_by_a_link(place):
    path, target = moved(place, "file")
    path.symlink_to(target)


def hard_link_to_foreign(place):
    path, target = moved(place, "file")
    os.chown(target, NOBODY, NOBODY)
    os.link(target, path)


def second_name(place):
    os.link(place.file, place.top / "second name")


# --- what is no file


def fifo(place):
    place.file.unlink()
    os.mkfifo(place.file)


def server(place):
    place.file.unlink()
    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(place.folder)  # a socket's address has at most 107 bytes
    try:
        listening.bind(place.file.name)
    finally:
        os.chdir(here)
        listening.close()


def directory(place):
    place.file.unlink()
    (place.file / "inside").mkdir(parents=True)


def endless_device(place):
    place.file.unlink()
    os.mknod(place.file, stat.S_IFCHR | 0o644, os.makedev(1, 5))


def link_to_a_device(place):
    place.file.unlink()
    place.file.symlink_to("/dev/zero")


def huge(place):
    os.truncate(place.file, 2**40)


def file_for_a_folder(place):
    shutil.rmtree(place.folder)
    place.folder.write_bytes(place.evil())


# --- what is of something else


def content(change):
    return lambda place: place.file.write_bytes(change(place))


def of_another_function(place):
    return place.evil(subject_of(caches.KernelCache(other), kernel(other)))


def of_another_module(place):
    seal = caches.KernelCache(double)
    return place.evil(subject_of(seal, kernel(double)).replace(__name__.encode(), b"elsewhere"))


def of_another_signature(place):
    return place.evil(subject_of(caches.KernelCache(double), kernel(double), (numba.float32,)))


def of_another_version(place):
    return place.evil(version="0" * 16)


def flipped(place):
    evil = bytearray(place.evil())
    evil[len(evil) // 2] ^= 1
    return bytes(evil)


POISONS = {
    "foreign file": given_away("file"),
    "foreign folder": given_away("folder"),
    "foreign cache": given_away("cache"),
    "foreign folder above": foreign_above,
    "all foreign": given_away("file", "folder", "cache"),
    "foreign folder in a sticky one": foreign_folder_in_a_sticky_one,
    "foreign file in a sticky folder": foreign_file_in_a_sticky_folder,
    "file 666": mode("file", 0o666),
    "file 664": mode("file", 0o664),
    "file 646": mode("file", 0o646),
    "file 622": mode("file", 0o622),
    "file 4777": mode("file", 0o4777),
    "folder 777": mode("folder", 0o777),
    "folder 775": mode("folder", 0o775),
    "folder 2775": mode("folder", 0o2775),
    "folder 757": mode("folder", 0o757),
    "folder 733": mode("folder", 0o733),
    "folder 1777": mode("folder", 0o1777),
    "cache 777": mode("cache", 0o777),
    "cache 775": mode("cache", 0o775),
    "cache 757": mode("cache", 0o757),
    "above 777": above(0o777),
    "above 775": above(0o775),
    "link to a foreign file": link_to_foreign("file"),
    "link to a foreign folder": link_to_foreign("folder"),
    "link to a foreign cache": link_to_foreign("cache"),
    "link to a file 666": link_to_writable("file", 0o666),
    "link to a folder 777": link_to_writable("folder", 0o777),
    "link to a cache 775": link_to_writable("cache", 0o775),
    "foreign link to a file": foreign_link("file"),
    "foreign link to a folder": foreign_link("folder"),
    "foreign link to a cache": foreign_link("cache"),
    "link into a folder 777": link_into_a_writable_folder,
    "relative link": relative_link,
    "chain of links": chain_of_links,
    "parent of a link": parent_of_a_link,
    "loop of links": loop_of_links,
    "dangling link": dangling_link,
    "own file by a link": own_file_by_a_link,
    "hard link to a foreign file": hard_link_to_foreign,
    "second name": second_name,
    "pipe": fifo,
    "socket": server,
    "directory": directory,
    "endless device": endless_device,
    "link to a device": link_to_a_device,
    "huge": huge,
    "file for a folder": file_for_a_folder,
    "another function": content(of_another_function),
    "another module": content(of_another_module),
    "another signature": content(of_another_signature),
    "another version": content(of_another_version),
    "no checksum": content(lambda place: place.evil()[caches.CHECKSUM_BYTES :]),
    "a bare pickle": content(lambda place: pickle.dumps(Evil(place.mark))),
    "cut short": content(lambda place: place.evil()[:-1]),
    "a byte more": content(lambda place: place.evil() + b"."),
    "a flipped bit": content(flipped),
    "empty": content(lambda place: b""),
}


def test_the_poison_works_where_it_is_trusted(place):
    """Or else all that follows proves nothing."""
    value, _, (message,) = in_child(call)
    assert value == 42
    assert "cannot load" in message  # a folder that was made is no kernel
    assert place.mark.exists()


@as_root
@pytest.mark.parametrize("poison", POISONS)
def test_poison_costs_one_warning(place, poison):
    POISONS[poison](place)
    value, hits, messages = in_child(call)
    assert not place.mark.exists()
    assert (value, hits) == (42, 0)
    assert len(messages) == 1
    assert messages[0].startswith("volaug: cannot ")


@as_root
@pytest.mark.parametrize("bits", [0o777, 0o775, None])
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


# --- what is trusted


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


# --- writing


@pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077])
def test_nobody_else_can_write_to_what_is_made(place, umask):
    shutil.rmtree(place.cache.parent)
    before = os.umask(umask)
    try:
        assert in_child(call) == (42, 0, [])
    finally:
        os.umask(before)
    made = [place.cache.parent, *place.cache.parent.rglob("*")]
    assert len(made) == 4
    for path in made:
        bits = stat.S_IMODE(path.stat().st_mode)
        assert bits & (0o022 | umask) == 0
        assert bits & 0o600 == 0o600
    assert in_child(call) == (42, 1, [])


@as_root
@pytest.mark.parametrize("name", ["folder", "cache"])
def test_nothing_is_written_through_a_link(place, name):
    """Neither into what is not ours, nor where somebody else's link leads to."""
    place.file.unlink()
    path, target = moved(place, name)
    path.symlink_to(target)
    os.lchown(path, NOBODY, NOBODY)
    _, _, messages = in_child(call)
    assert len(messages) == 1
    os.unlink(path)
    path.symlink_to(target)
    os.chown(target, NOBODY, NOBODY)
    _, _, messages = in_child(call)
    assert len(messages) == 1
    assert not [path for path in target.rglob("*") if path.is_file()]


def test_a_link_in_place_of_a_file_is_replaced(place):
    victim = place.top / "victim"
    victim.write_text("precious")
    place.file.unlink()
    place.file.symlink_to(victim)
    _, _, messages = in_child(call)
    assert len(messages) == 1
    assert victim.read_text() == "precious"
    assert stat.S_ISREG(place.file.lstat().st_mode)
    assert in_child(call) == (42, 1, [])


@as_root
def test_of_outdated_files_only_ours_are_deleted(place):
    start = place.file.name.rsplit("-", 1)[0]
    place.file.unlink()
    old = [place.folder / f"{start}-{number:016}.kernel" for number in range(4)]
    old[0].touch()
    old[1].touch()
    os.chown(old[1], NOBODY, NOBODY)
    old[2].mkdir()
    old[3].symlink_to(place.top / "precious")
    (place.top / "precious").touch()
    assert in_child(call) == (42, 0, [])
    assert sorted(place.folder.iterdir()) == sorted([*old[1:], place.file])
    assert (place.top / "precious").exists()


# --- where files that are open cannot be replaced, as on Windows


def refusing(action, times):
    """An action that is refused so many times first."""
    refusals = iter(range(times))

    def refuse(*arguments, **options):
        if next(refusals, None) is not None:
            raise PermissionError(13, "another process reads it")
        return action(*arguments, **options)

    return refuse


def test_a_file_that_another_process_reads_is_replaced_later(place, monkeypatch):
    place.file.unlink()
    outdated = place.folder / f"{place.file.name.rsplit('-', 1)[0]}-{0:016}.kernel"
    outdated.touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refusing(os.replace, 3))
        patch.setattr(os, "unlink", refusing(os.unlink, 3))
        assert in_child(call) == (42, 0, [])
    assert list(place.folder.iterdir()) == [place.file]
    with monkeypatch.context() as patch:
        patch.setattr(trust, "PAUSES_OF_READING", trust.PAUSES)
        patch.setattr(os, "open", refusing(os.open, 3))
        assert in_child(call) == (42, 1, [])


def test_a_file_that_is_never_released_costs_one_warning(place, monkeypatch):
    place.file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(trust, "PAUSES", (0.0,) * 3)
        patch.setattr(os, "replace", refusing(os.replace, 10**6))
        value, hits, messages = in_child(call)
    assert (value, hits, len(messages)) == (42, 0, 1)
    assert not list(place.folder.iterdir())
