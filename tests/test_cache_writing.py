"""The disk cache writes where nobody else can, and replaces only its own files."""

import os
import shutil
import stat

import pytest

from support.kernel_cache import NOBODY, as_root, call, in_child
from support.poisons import moved
from volaug.kernels.jit import trust

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes")


@pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077])
@pytest.mark.slow
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
    """Return an action that fails a number of times before it works."""
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
