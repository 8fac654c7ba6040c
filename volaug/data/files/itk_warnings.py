"""ITK's switch for warnings, of which a process has one for all of its threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...threads.forks import start_afresh_in_children


class _Switch:
    """Warnings are off while any thread wants them off; then they are again as they were."""

    def __init__(self) -> None:
        self.start_afresh()
        start_afresh_in_children(self)

    def start_afresh(self) -> None:
        """Forget the threads that want warnings off."""
        self._lock = threading.Lock()
        self._users, self._before = 0, True

    @contextmanager
    def off(self, sitk: Any) -> Iterator[None]:
        """Keep ITK from printing warnings."""
        display = sitk.ProcessObject
        with self._lock:
            if not self._users:
                self._before = display.GetGlobalWarningDisplay()
                display.SetGlobalWarningDisplay(False)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    display.SetGlobalWarningDisplay(self._before)


without_itk_warnings = _Switch().off
