"""A disk cache of compiled kernels that is never wrong and never fatal.

Numba's own cache does not see an edit in another file or an option that changed
(numba#1833), numbers its files so that two writers can exchange them (numba#4807), lets a
truncated file end the program (numba#10656), and executes what anybody has put into its
folder. Here a compiled kernel is one file, whose name is the digest of all that it depends on
(`versions.py`, the processor, the kernel, the signature). Its content begins with a checksum,
against damage, and says what it is. It is loaded from where nobody else can write (`trust.py`). A
file that cannot be read or written costs a compilation, and one warning a process. What is not in
the cache is looked for in packs (`packs.py`).
"""

import hashlib
import logging
import pickle
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import _Cache, _CacheLocator
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from . import packs, trust
from .versions import PYTHON, fingerprint

CHECKSUM_BYTES = hashlib.sha256().digest_size

log = logging.getLogger("volaug")

_warned = False
_kept = 0
_first_compilation: float | None = None  # when it began; 0 after its end


class KernelCache(_Cache):
    """The disk cache of one kernel, as `numba.core.dispatcher.Dispatcher` wants it.

    The folder is ``NUMBA_CACHE_DIR`` if that is set. Else kernels are looked for beside the
    source and in the user's own cache, and are kept in the first of these that takes them.
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        # now, since an edit after the import does not change what is compiled; with the line,
        # since a module may define a function twice
        version = f"{fingerprint()} {function.__code__.co_firstlineno}"
        self._version = hashlib.sha256(version.encode()).hexdigest()[:16]
        # no key has what a closure holds, or what is in sources that cannot be read
        self._enabled = function.__closure__ is None and fingerprint() != ""

    @property
    def cache_path(self) -> str | None:
        """The folder that is looked into first; None if there is none."""
        return str(self._folders()[0]) if self._enabled else None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Forget every compilation of this kernel."""
        for folder in self._folders():
            trust.remove(folder, f"{self._function.__name__}-*.kernel")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None if it has to be compiled."""
        if not self._enabled:
            return None
        # Numba's own cache calls `refresh`, which imports all that code can be compiled from: that
        # takes as long as all else of a first call. Compiled code needs no more than the runtime.
        rtsys.initialize(target_context)
        own = target_context.codegen().magic_tuple()
        places = [("the kernel cache", folder, own) for folder in self._folders()]
        for what, folder, processor in (*places, *packs.usable_packs(_warn_once)):
            subject = self._subject(sig, processor)
            try:
                payload = self._unseal(subject, trust.read(folder / self._file_name(subject)))
                return CompileResult._rebuild(target_context, *pickle.loads(payload))
            except FileNotFoundError:
                pass
            except Exception as error:  # whatever is wrong with a cache, compiling is the cure
                _warn_once(f"cannot load {self._function.__name__} from {what} ({error})")
        _log_first_compilation(self._function.__name__)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel for the next process."""
        global _kept
        _log_end_of_compilation()
        if not self._enabled or data.lifted or data.library.has_dynamic_globals:
            return
        subject = self._subject(sig, data.codegen.magic_tuple())
        name = self._file_name(subject)
        try:
            folder = self._write(name, self._seal(subject, dumps(data._reduce())))
        except Exception as error:
            _warn_once(
                f"cannot keep compiled kernels ({error}), so that each process compiles them "
                "again; set NUMBA_CACHE_DIR to a folder of your own"
            )
        else:
            _kept += 1
            trust.remove(folder, f"{name.rsplit('-', 1)[0]}-*.kernel", but=name)

    def _write(self, name: str, content: bytes) -> Path:
        """Write a file into the first folder that takes it, which is returned."""
        errors: list[Exception] = []
        for folder in self._folders():
            try:
                trust.write(folder / name, content)
            except (OSError, trust.UntrustedError) as error:
                errors.append(error)
            else:
                return folder
        raise errors[0]

    def _folders(self) -> list[Path]:
        """The folders that Numba would choose from, the best first."""
        source = Path(self._function.__code__.co_filename).absolute()
        beside = _CacheLocator.get_suitable_cache_subpath(str(source))
        if numba.config.CACHE_DIR:
            return [Path(numba.config.CACHE_DIR, beside)]
        own = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
        # it is relative where the user has no home
        return [source.parent / "__pycache__", *([own / beside] if own.is_absolute() else [])]

    def _subject(self, sig: Any, processor: packs.Processor) -> bytes:
        """What a file is of: no two kernels of a version have the same."""
        function = self._function
        place = (function.__module__, function.__qualname__, str(sig))
        return repr((*place, processor, PYTHON)).encode()

    def _file_name(self, subject: bytes) -> str:
        digest = hashlib.sha256(subject).hexdigest()[:16]
        return f"{self._function.__name__}-{digest}-{self._version}.kernel"

    def _seal(self, subject: bytes, payload: bytes) -> bytes:
        """The content of a file: a checksum, what it is, and a compiled kernel."""
        content = subject + self._version.encode() + b"\n" + payload
        return hashlib.sha256(content).digest() + content

    def _unseal(self, subject: bytes, file: bytes) -> bytes:
        """The compiled kernel in a file; the checksum is against damage, not against attacks."""
        checksum, content = file[:CHECKSUM_BYTES], file[CHECKSUM_BYTES:]
        if hashlib.sha256(content).digest() != checksum:
            raise ValueError("the file is damaged")
        found, _, payload = content.partition(b"\n")
        if found != subject + self._version.encode():
            raise ValueError("the file is of another kernel")
        return payload


def count_kept() -> int:
    """Return how many kernels this process has compiled and kept for others."""
    return _kept


def _log_first_compilation(name: str) -> None:
    """Say, once a process, what takes a second or more."""
    global _first_compilation
    if _first_compilation is None:
        _first_compilation = time.perf_counter()
        log.info("compiling %s, the first kernel that no cache and no pack has", name)


def _log_end_of_compilation() -> None:
    global _first_compilation
    if _first_compilation:
        seconds, _first_compilation = time.perf_counter() - _first_compilation, 0.0
        log.info("took %.1f s; volaug.warmup() compiles all kernels ahead", seconds)


def _warn_once(message: str) -> None:
    """Warn of the first trouble of this process: what follows has mostly the same cause."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"volaug: {message}", RuntimeWarning, stacklevel=2)
