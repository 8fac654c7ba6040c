"""Objects that begin afresh in a forked child, which has none of the threads of its parent."""

import os
import weakref
from typing import Protocol

from . import workers  # noqa: F401 - whose own rule for children comes first


class Restarting(Protocol):
    """What can begin afresh."""

    def start_afresh(self) -> None:
        """Set up with nothing under way, whatever locks the parent's threads held."""


_live: "weakref.WeakSet[Restarting]" = weakref.WeakSet()


def start_afresh_in_children(restarting: Restarting) -> None:
    """Let an object begin afresh in each child that is forked while it lives."""
    _live.add(restarting)


def _start_all_afresh() -> None:
    for restarting in list(_live):
        restarting.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_afresh)
