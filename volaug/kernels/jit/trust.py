"""Files of code that nobody else can have written.

A compiled kernel is code, so it is read from a file, and written into a folder, that nobody
can change but the user, root, and the owner of this package. On POSIX every folder from the
root down and every link on the way is looked at. Once a path has passed, nobody else can
change what it leads to, so that it stays good while it is used. Elsewhere permissions are
left to the system. `docs/trust.md` says it for users.
"""

import errno
import functools
import os
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

POSIX = os.name == "posix"

LINKS = 40  # on one path, as many as Linux follows
MAX_SPACING = 2**26  # bytes; the largest kernel has 2**18

# Seconds between attempts. Windows refuses to replace, delete or open a file for the instant in
# which another process reads or replaces it. What other systems refuse to open stays refused.
PAUSES = (0.001, 0.004, 0.016, 0.064, 0.256)
PAUSES_OF_READING = () if POSIX else PAUSES

# A link is not followed, and the other end of a pipe not waited for.
FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
READING = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in FLAGS)


class UntrustedError(Exception):
    """Somebody else can have written what lies there."""


def read(file: Path) -> bytes:
    """The content of a file.

    Raises
    ------
    UntrustedError
        If somebody else can have written it.
    FileNotFoundError
        If there is none, or its folder cannot be entered.
    OSError
        If it cannot be read.
    """
    try:
        folder = trusted_folder(file.parent)
    except UntrustedError:
        if os.path.lexists(file):
            raise
        folder = None
    except OSError:
        folder = None
    if folder is None:
        raise FileNotFoundError(file)
    descriptor = insist(PAUSES_OF_READING, os.open, folder / file.name, READING)
    try:
        _check_file(file, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAX_SPACING)
    finally:
        os.close(descriptor)


def write(file: Path, content: bytes) -> None:
    """Write a file so that a concurrent reader sees all of it or nothing.

    Raises
    ------
    UntrustedError
        If somebody else could change it.
    OSError
        If it cannot be written.
    """
    _make_folder(file.parent)
    folder = trusted_folder(file.parent)
    descriptor, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            if POSIX:  # who can read the folder can read the file: what root keeps serves users
                with suppress(OSError):  # some file systems have no modes
                    os.fchmod(descriptor, stat.S_IMODE(os.stat(folder).st_mode) & 0o644)
        insist(PAUSES, os.replace, temporary, folder / file.name)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def remove(folder: Path, pattern: str, but: str = "") -> None:
    """Delete the user's own files of a pattern, but for one, as far as it goes."""
    with suppress(OSError, UntrustedError):
        for file in trusted_folder(folder).glob(pattern):
            info = os.lstat(file)
            own = stat.S_ISREG(info.st_mode) and (not POSIX or info.st_uid == os.geteuid())
            if own and file.name != but:
                with suppress(OSError):
                    insist(PAUSES, os.unlink, file)


def trusted_folder(folder: Path) -> Path:
    """The folder by its path without links, every step of which has been looked at.

    Raises
    ------
    UntrustedError
        If somebody else can change it, or what its path leads to.
    OSError
        If there is none.
    """
    if not POSIX:
        return folder.resolve(strict=True)
    here, info = _walk(folder)
    if writers := _other_writers(info):  # a sticky bit is enough on the way, but not here
        raise UntrustedError(f"{here} is writable by {writers}")
    return here


def insist(pauses: tuple[float, ...], action: Callable[..., Any], *arguments: Any) -> Any:
    """Try again after a pause what a process that reads the same file may forbid."""
    for pause in pauses:
        try:
            return action(*arguments)
        except PermissionError:
            time.sleep(pause)
    return action(*arguments)


def _walk(folder: Path) -> tuple[Path, os.stat_result]:
    """A folder by its path without links, each of which has been looked at, and its status."""
    here, links = Path("/"), 0
    info = _check_folder(here)
    steps = list(reversed(folder.absolute().parts[1:]))
    while steps:
        name = steps.pop()
        if name == "..":  # `here` has no links, and its parent was looked at on the way down
            here = here.parent
            info = os.lstat(here)
            continue
        step = here / name
        info = os.lstat(step)
        if stat.S_ISLNK(info.st_mode):
            _check_owner(step, info)
            links += 1
            if links > LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
            target = Path(os.readlink(step))
            if target.is_absolute():
                here = Path("/")
            steps += reversed(target.parts[target.is_absolute() :])
        else:
            info = _check_folder(step)
            here = step
    return here, info


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, which nobody else can write to whatever the umask is."""
    if not folder.exists():
        _make_folder(folder.parent)
        if POSIX:
            _walk(folder.parent)
        with suppress(FileExistsError):  # another process was faster
            folder.mkdir(mode=0o755)


def _check_folder(folder: Path) -> os.stat_result:
    info = os.lstat(folder)
    if not stat.S_ISDIR(info.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _check_owner(folder, info)
    # in a sticky folder, such as /tmp, nobody can replace what belongs to another
    if not info.st_mode & stat.S_ISVTX and (writers := _other_writers(info)):
        raise UntrustedError(f"{folder} is writable by {writers}")
    return info


def _check_file(file: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise UntrustedError(f"{file} is not a regular file")
    if info.st_size >= MAX_SPACING:
        raise UntrustedError(f"{file} is too large")
    if POSIX:
        _check_owner(file, info)
        if writers := _other_writers(info):
            raise UntrustedError(f"{file} is writable by {writers}")
        if info.st_nlink != 1:
            raise UntrustedError(f"{file} has another name elsewhere")


def _check_owner(path: Path, info: os.stat_result) -> None:
    if info.st_uid not in (os.geteuid(), 0, _owner_of_package()):
        raise UntrustedError(f"{path} belongs to another user (number {info.st_uid})")


def _other_writers(info: os.stat_result) -> str:
    """Who can write beside the owner; nothing if nobody can."""
    if info.st_mode & stat.S_IWOTH:
        return "everybody"
    if info.st_mode & stat.S_IWGRP and not _is_private(info.st_gid, os.geteuid()):
        return f"a group (number {info.st_gid})"
    return ""


@functools.cache
def _owner_of_package() -> int:
    return os.stat(__file__).st_uid


@functools.cache
def _is_private(group: int, user: int) -> bool:
    """Whether a group is the user's alone: of the same name, and without other members.

    Systems that give each user such a group let it write to all that the user makes.
    """
    import grp
    import pwd

    try:
        members, owner = grp.getgrgid(group), pwd.getpwuid(user)
    except KeyError:
        return False
    return (
        user != 0
        and owner.pw_gid == group
        and owner.pw_name == members.gr_name
        and set(members.gr_mem) <= {owner.pw_name}
    )
