"""Mail into a Maildir: `maildir:///abs/dir` (https://cr.yp.to/proto/maildir.html)."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

from muster.adapters import path_of
from muster.backends.atomic_file import WholeFile, make_directory
from notification.channels.email.mailer import MailError, serialise

_FOLDERS = ("tmp", "new", "cur")


class MaildirMailer:
    """Delivers into the folder `new` below one directory, whoever the recipient is.

    The file is named after the `Message-ID`, so that a repeat leaves one mail.
    """

    def __init__(self, url: str) -> None:
        self._root = path_of(url)

    def send(self, message: EmailMessage) -> None:
        """Return once the mail is durably in the Maildir; raises MailError."""
        # Lines of a mail in a Maildir end as those of any file here, not as on the wire.
        name = _name_of(_identifier_of(message))
        with _delivering():
            content = serialise(message, linesep="\n")
            self._make_folders()
            if not self._holds(name):
                self._deliver(name, content)

    @contextmanager
    def session(self) -> Iterator[Callable[[EmailMessage], None]]:
        """`send`: there is no connection to share."""
        yield self.send

    def withdraw(self, identifier: str) -> None:
        """Remove the mail, wherever its reader has moved it; raises MailError."""
        name = _name_of(identifier)
        with _delivering():
            self._make_folders()
            for folder in ("new", "cur"):
                for mail in (self._root / folder).glob(f"{name}*"):
                    mail.unlink(missing_ok=True)

    def check(self) -> None:
        """Return if the Maildir can be written; raises MailError."""
        with _delivering():
            self._make_folders()
            probe = self._temporary()
            probe.touch()
            probe.unlink()

    def _make_folders(self) -> None:
        for folder in _FOLDERS:
            make_directory(self._root / folder)

    def _holds(self, name: str) -> bool:
        # A reader moves mail from new to cur and appends flags to its name: hence this order.
        if (self._root / "new" / name).exists():
            return True
        return any(each.name.startswith(name) for each in (self._root / "cur").iterdir())

    def _deliver(self, name: str, content: bytes) -> None:
        file = WholeFile(self._temporary(), self._root / "new" / name)
        try:
            file.write(content)
            file.finish()
        except BaseException:
            file.abandon()
            raise

    def _temporary(self) -> Path:
        return self._root / "tmp" / secrets.token_hex(16)


def _identifier_of(message: EmailMessage) -> str:
    identifier = message["Message-ID"]
    if not identifier:
        raise MailError("the message has no Message-ID", permanent=True)
    return str(identifier)


def _name_of(identifier: str) -> str:
    return hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()[:40]


@contextmanager
def _delivering() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MailError(str(error), permanent=False) from error
