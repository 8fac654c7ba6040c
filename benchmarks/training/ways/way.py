"""What a way to load is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ...rivals.contender import is_installed
from ..task import Batch, Task


@dataclass(frozen=True)
class Way:
    """A way to make batches.

    Parameters
    ----------
    title : str
        Its name in the table.
    library : str
        What has to be installed.
    opened : function
        Starts the loader of a task. Within the context it gives endless batches; then it ends.
    ahead : function
        How many batches of a task may be ready before they are asked for.
    """

    title: str
    library: str
    opened: Callable[[Task], AbstractContextManager[Iterator[Batch]]]
    ahead: Callable[[Task], int]

    @property
    def is_available(self) -> bool:
        """Whether its library is installed."""
        return is_installed(self.library)
