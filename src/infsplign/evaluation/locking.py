"""One run at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infsplign.evaluation.files import OutputError, cannot_write, check_writable, make_folder


class TakenError(OutputError):
    """A folder that another process is writing in."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Makes a folder and keeps a second run out of it. The lock goes with the process, however that ends.

    Nothing is removed: another process may have made and locked the same folder in the meantime. Where there are no locks (Windows, some
    network file systems), none is taken.

    Raises:
        TakenError: another process is writing there.
        OutputError: the folder cannot be written, or it is gone (or another one) at the end.
    """
    check_writable(out)
    place = _open(out)
    try:
        check_writable(out)  # before, that was asked of the folder above where this one was not there
        yield
        if place is not None and not _same(out, place):
            raise OutputError(f"`--out` {str(out)!r} was removed or replaced while this command ran; start it again")
    finally:
        if place is not None:
            os.close(place)


def _open(out: Path) -> int | None:
    """The folder itself, open and locked; None where folders cannot be opened."""
    while True:
        try:
            make_folder(out)
        except OSError as error:
            raise cannot_write(out, error) from error
        try:
            place = os.open(out, os.O_RDONLY)
        except FileNotFoundError:
            continue  # removed just now
        except OSError:
            return None
        try:
            _lock(out, place)
            if _same(out, place):
                return place
        except BaseException:
            os.close(place)
            raise
        os.close(place)  # what was locked has been removed, and another folder made in its place


def _lock(out: Path, place: int) -> None:
    try:
        import fcntl

        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TakenError(f"`--out` {str(out)!r} is being written by another run; wait for it, or choose another folder") from None
    except (ImportError, OSError):  # no locks here
        return


def _same(out: Path, place: int) -> bool:
    try:
        return os.path.samestat(os.stat(out), os.fstat(place))
    except OSError:
        return False
