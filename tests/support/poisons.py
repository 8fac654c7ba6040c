"""Ways to poison a disk cache: files, folders and links that must not be trusted."""

import os
import pickle
import shutil
import socket
import stat
from pathlib import Path

import numba

from support.kernel_cache import NOBODY, Evil, double, subject_of
from volaug.kernels.jit import cache as caches
from volaug.kernels.jit.options import kernel


def other(x):
    return 3 * x


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
    return place.evil(
        subject_of(seal, kernel(double)).replace(double.__module__.encode(), b"elsewhere")
    )


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
