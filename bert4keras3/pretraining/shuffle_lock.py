"""One shuffle at a time to a target."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file could not be removed either
    fcntl = None

# Of a file system without locks: some of those that many machines share.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(target: Path):
    """Hold the lock of the shuffles to `target`, the file .NAME.shuffle.lock beside it.

    The system gives the lock back when a process ends, killed or not. The file is
    removed at the end; one that a killed process left is taken over. Where files have
    no such locks (Windows, some file systems), nothing is held.
    Raises BlockingIOError while another shuffle holds it.
    """
    path = target.with_name(f".{target.name}.shuffle.lock")
    target.parent.mkdir(parents=True, exist_ok=True)
    file = _take(path, target) if fcntl else None
    try:
        yield
    finally:
        if file:
            # Before it is given back: who waits for this file sees that it is gone.
            path.unlink(missing_ok=True)
            file.close()


def _take(path, target):
    while True:
        file = open(path, "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BlockingIOError(
                f"another shuffle to {target} is running: wait for it to end, or "
                "choose another target"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                file.close()
                raise
            return file
        if _is(path, file):
            return file
        file.close()  # it was removed, between open and flock, by the one that held it


def _is(path, file):
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
