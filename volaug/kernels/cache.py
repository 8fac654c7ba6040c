"""A disk cache of compiled kernels that is never wrong and never fatal.

Numba's own cache does not see an edit in another file or an option that changed
(numba#1833), numbers its files so that two writers can exchange them (numba#4807), and
lets a truncated file end the program (numba#10656). Here a compiled kernel is one file,
whose name is the digest of all that it depends on (the sources of this package, the
versions of Numba and llvmlite, the processor, the signature) and whose content begins
with a checksum. A file that cannot be read or written costs one warning and a compile.
"""

import functools
import hashlib
import os
import pickle
import stat
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.serialize import dumps

CHECKSUM_BYTES = hashlib.sha256().digest_size


@functools.cache
def fingerprint() -> str:
    """Digest of what every kernel of this package depends on."""
    settings = (numba.__version__, llvmlite.__version__, numba.config.BOUNDSCHECK, numba.config.OPT)
    digest = hashlib.sha256(repr(settings).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


class KernelCache(_Cache):
    """The disk cache of one kernel, as `numba.core.dispatcher.Dispatcher` wants it.

    The folder is the one that Numba would choose: ``NUMBA_CACHE_DIR``, else
    ``__pycache__`` beside the source, else the user's own cache.
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._enabled = True

    @functools.cached_property
    def _implementation(self) -> CompileResultCacheImpl:
        return CompileResultCacheImpl(self._function)

    @property
    def _folder(self) -> Path:
        return Path(self._implementation.locator.get_cache_path())

    @property
    def cache_path(self) -> str | None:
        """The folder; None if there is none."""
        return str(self._folder) if self._has_folder() else None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Forget every compilation of this kernel."""
        if self._has_folder():
            for file in self._folder.glob(f"{self._function.__name__}-*.kernel"):
                file.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None if it has to be compiled."""
        if not self._has_folder():
            return None
        target_context.refresh()
        try:
            _refuse_shared_folder(self._folder)
            content = self._file(sig, target_context.codegen()).read_bytes()
            checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
            if hashlib.sha256(payload).digest() != checksum:
                raise ValueError("the file is damaged")
            return self._implementation.rebuild(target_context, pickle.loads(payload))
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever is wrong with a cache, compiling is the cure
            _warn_once(f"cannot load {self._function.__name__} from the kernel cache ({error})")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel for the next process."""
        if not self._has_folder():
            return
        try:
            implementation = self._implementation
            if not implementation.check_cachable(data):
                return
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_shared_folder(self._folder)
            payload = dumps(implementation.reduce(data))
            file = self._file(sig, data.codegen)
            _write_at_once(file, hashlib.sha256(payload).digest() + payload)
            for outdated in file.parent.glob(f"{file.name.rsplit('-', 1)[0]}-*.kernel"):
                if outdated != file:
                    outdated.unlink(missing_ok=True)
        except Exception as error:
            _warn_not_kept(error)

    def _has_folder(self) -> bool:
        if self._enabled:
            try:
                return self._implementation is not None
            except RuntimeError as error:  # Numba found none that it can write to
                _warn_not_kept(error)
                self._enabled = False
        return False

    def _file(self, sig: Any, codegen: Any) -> Path:
        subject = repr((self._function.__qualname__, str(sig), codegen.magic_tuple()))
        digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
        name = f"{self._function.__name__}-{digest}-{fingerprint()}.kernel"
        return self._folder / name


def _refuse_shared_folder(folder: Path) -> None:
    """A cached kernel is code: it is not taken from a folder that anybody can write to."""
    if os.name == "posix" and os.stat(folder).st_mode & stat.S_IWOTH:
        raise PermissionError(f"{folder} is writable by everybody")


def _write_at_once(file: Path, content: bytes) -> None:
    """Write a file so that a concurrent reader sees all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise


def _warn_not_kept(error: Exception) -> None:
    _warn_once(
        f"cannot keep compiled kernels ({error}), so that each process compiles them again; "
        "set NUMBA_CACHE_DIR to a folder of your own"
    )


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(f"volaug: {message}", RuntimeWarning, stacklevel=2)
