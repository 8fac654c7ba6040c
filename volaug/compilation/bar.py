"""A progress bar on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(wanted: bool, description: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield what moves a bar on by one; without a bar, if it is not wanted, it does nothing."""
    if not wanted:
        yield lambda: None
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'progress=True needs rich, which is not installed: pip install "volaug[cli]"'
        ) from error
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)
