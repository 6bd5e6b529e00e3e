"""The mail server in memory: what it took, and whom it refuses."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from notification.channels.email.mailer import MailError
from tests.faults.ports import ANSWER
from tests.simulator.scheduler import Process
from tests.simulator.world import World

REFUSED = "refused"
"""The address that begins with this is refused for good."""


def _put_off() -> MailError:
    return MailError("try again later", permanent=False)


class Mailbox:
    """How often each email arrived, by its Message-ID."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()


class SimulatedMailer:
    """The port, as one process has it."""

    def __init__(self, world: World, mailbox: Mailbox, process: Process) -> None:
        self._world = world
        self._mailbox = mailbox
        self._process = process

    def send(self, message: EmailMessage) -> None:
        """Return once it is taken."""
        self._world.meet(self._process, "mail.send", _put_off)
        if str(message["To"]).startswith(REFUSED):
            raise MailError("no such user", permanent=True)
        self._mailbox.arrived[str(message["Message-ID"])] += 1
        self._world.meet(self._process, "mail.send" + ANSWER, _put_off)

    @contextmanager
    def session(self) -> Iterator[Callable[[EmailMessage], None]]:
        """`send`, for several."""
        yield self.send

    def withdraw(self, identifier: str) -> None:
        """What has arrived is the recipient's."""

    def check(self) -> None:
        """Whether it answers."""
        self._world.meet(self._process, "mail.check", _put_off)
