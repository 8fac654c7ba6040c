"""Things that several threads need, made once and kept while they are needed."""

import threading
from collections.abc import Callable
from typing import Any


class Shared:
    """Cases in memory, each made by the first thread that needs it.

    Parameters
    ----------
    make : function
        Makes one.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._needed: dict[int, int] = {}  # how many uses are to come, by the number of the thing
        self._entries: dict[int, _Entry] = {}

    def expect(self, number: int) -> None:
        """Say that a thing will be needed once more."""
        with self._lock:
            self._needed[number] = self._needed.get(number, 0) + 1

    def get(self, number: int, *arguments: Any) -> Any:
        """The thing, which is made if it is not there. An error is raised for each use."""
        with self._lock:
            entry = self._entries.setdefault(number, _Entry())
        with entry.lock:
            if not entry.is_made:
                try:
                    entry.value = self._make(*arguments)
                except Exception as error:
                    entry.error = error
                entry.is_made = True
        if entry.error is not None:
            raise entry.error
        return entry.value

    def done(self, number: int) -> None:
        """Say that a use has ended. After the last, the thing is forgotten."""
        with self._lock:
            self._needed[number] = self._needed.get(number, 1) - 1
            if self._needed[number] <= 0:
                self._entries.pop(number, None)


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_made, self.value, self.error = False, None, None  # type: bool, Any, Any
