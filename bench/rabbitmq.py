"""RabbitMQ of the newest line, from Debian unstable, in a root of its own: as root on Debian."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.unstable import root_with
from tests.servers.rabbitmq import RabbitServer

_HOME = Path("srv/rabbitmq")
"""In the root, where all that it keeps is on the disk."""


class NewestRabbitServer(RabbitServer):
    """A node on ports of its own, on new data."""

    def __init__(self) -> None:
        self._root = root_with("bench-rabbitmq", "rabbitmq-server")
        super().__init__(self._root.directory / _HOME)

    def start(self) -> None:
        """Run it, on data made at the first start."""
        self._clear()
        super().start()

    def argv(self) -> Sequence[str]:
        """The server's command. Its name server ends with the root's processes."""
        return self._root.argv("exec /usr/lib/rabbitmq/bin/rabbitmq-server")

    def environment(self) -> Mapping[str, str]:
        """As the root's processes see the directories."""
        outside = str(self._root.directory)
        return {
            name: value.replace(outside, "") for name, value in super().environment().items()
        } | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def control_argv(self, *arguments: str) -> Sequence[str]:
        """What runs `rabbitmqctl` in the root with these arguments."""
        return self._root.argv(shlex.join(super().control_argv(*arguments)))

    def kill(self) -> None:
        """End it, and free the disk."""
        super().kill()
        self._clear()

    def _clear(self) -> None:
        self._root.run(f"rm -rf /{_HOME}", "clear")
