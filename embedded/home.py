"""The data directory: private, and used by one suite at a time."""

import fcntl
import secrets
import stat
from pathlib import Path
from typing import IO, Self

from embedded.errors import StartError
from muster.backends.atomic_file import replace_file


class Home:
    """`$MUSTER_HOME`, locked until it is left or the process ends.

    Raises StartError when it can't be written, others could read it, or another suite runs on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "log"
        self.run = self.path / "run"
        self.scratch = self.path / "scratch"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(self.path)
            for directory in (self.logs, self.run, self.scratch):
                directory.mkdir(mode=0o700, exist_ok=True)
            self._lock = (self.run / "lock").open("ab")
        except OSError as error:
            raise StartError(
                f"{self.path} can't be written ({error.strerror}): set MUSTER_HOME to a directory "
                "of yours."
            ) from error
        _lock_or_fail(self._lock, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._lock.close()

    def admin_password(self) -> str | None:
        """The generated password of the first administrator; None if theirs was not generated.

        It is kept in the file `admin_password_file`, which nobody else can read.
        """
        if not self.admin_password_file.exists():
            if self.has_admin:
                return None
            password = secrets.token_urlsafe(18)
            replace_file(self.admin_password_file, f"{password}\n".encode(), 0o600)
        return self.admin_password_file.read_text().strip()

    def remember_admin(self) -> None:
        """Note that there is an administrator now, so that no password is generated later."""
        self._admin_exists.touch()

    @property
    def has_admin(self) -> bool:
        """Whether it is noted that there is an administrator."""
        return self._admin_exists.exists()

    @property
    def _admin_exists(self) -> Path:
        return self.path / "admin-exists"

    @property
    def admin_password_file(self) -> Path:
        """The file of a generated password."""
        return self.path / "admin-password"


def _make_private(path: Path) -> None:
    # What is in it is written with the umask: data, keys, mails. A directory that is also used
    # for something else is not ours to close.
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return
    if any(path.iterdir()) and not (path / "run" / "lock").exists():
        raise StartError(
            f"{path} is open to others (mode {mode:04o}) and holds what is not Muster's: make it "
            f"private with chmod 700, or set MUSTER_HOME to another directory."
        )
    path.chmod(0o700)


def _lock_or_fail(lock: IO[bytes], path: Path) -> None:
    # The kernel frees the lock when the process ends, however it ends.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StartError(
            f"Another muster runs on {path}: stop it, or set MUSTER_HOME to another directory."
        ) from error
