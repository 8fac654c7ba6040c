"""Python code in several processes at once, of which each does a part."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

# What a child prints when it has done one of its tasks.
DONE = "volaug-done"


def report_done() -> None:
    """Tell the parent that a task is done."""
    print(DONE, flush=True)


def run_in_parts(
    code: str,
    processes: int,
    advance: Callable[[], None],
    *,
    data: bytes = b"",
    settings: Mapping[str, str] | None = None,
) -> bool:
    """Run code as so many processes, and return whether all of them ended well.

    Parameters
    ----------
    code : str
        Python that finds in ``part`` its number and how many there are, and calls `report_done`.
    processes : int
    advance : callable
        Called when a task is done.
    data : bytes
        What each of them reads from standard input.
    settings : mapping of str to str, optional
        Variables of their environment beside those of this process.

    Notes
    -----
    They are Python processes of their own, and no forks: Numba's compiler does not survive a fork,
    and to spawn by `multiprocessing` would run the user's script again.
    """
    environment = os.environ | dict(settings or {})
    children: list[subprocess.Popen[bytes]] = []

    def follow(child: subprocess.Popen[bytes]) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError), child.stdin as stream:  # of a child that has ended
            stream.write(data)
        with child.stdout as lines:
            for line in lines:
                if line.strip() == DONE.encode():
                    advance()
        return child.wait()

    with ThreadPoolExecutor(processes) as followers:
        try:
            for number in range(processes):
                start = f"import sys; sys.path[:] = {sys.path!r}; part = {(number, processes)}\n"
                child = subprocess.Popen(
                    [sys.executable, "-c", start + code],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                children.append(child)
            return not any([*followers.map(follow, children)])
        finally:  # before the followers are waited for
            for child in children:
                child.kill()
                child.wait()
