"""A private RabbitMQ node: Debian's, on ports of its own and known to no other node."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pika import BlockingConnection, URLParameters
from pika.exceptions import AMQPError

from muster.broker.rabbitmq.topology import Topology
from tests.servers.process import ServerProcess, free_port, require

_BIN = Path("/usr/lib/rabbitmq/bin")


class RabbitServer(ServerProcess):
    """A RabbitMQ node, with the same ports and data after each start."""

    def __init__(self, directory: Path, certificate: Path | None = None) -> None:
        super().__init__(directory)
        self._certificate = certificate
        self._tls_port = free_port()
        self._port = free_port()
        self._distribution_port = free_port()
        self._epmd_port = free_port()

    def url(self, vhost: str = "%2F", user: str = "guest:guest", **options: str) -> str:
        """The URL of a virtual host, with `options` of Muster."""
        return f"amqp://{user}@127.0.0.1:{self._port}/{vhost}{_query(options)}"

    def tls_url(self, **options: str) -> str:
        """The same over TLS, where there is a certificate."""
        return f"amqps://guest:guest@127.0.0.1:{self._tls_port}/%2F{_query(options)}"

    def argv(self) -> Sequence[str]:
        """The server's command."""
        # A name server that RabbitMQ started itself would leave this session, and live on. This one
        # ends with the shell, which becomes RabbitMQ.
        epmd = f"epmd -address 127.0.0.1 -port {self._epmd_port}"
        script = f"""
            {sys.executable} -m embedded.lifeline SIGKILL $$ {epmd} &
            until {epmd} -names >/dev/null 2>&1; do sleep 0.05; done
            exec {_BIN}/rabbitmq-server
        """
        return ["sh", "-c", script]

    def environment(self) -> Mapping[str, str]:
        """Directories, names and ports of this node alone."""
        home = str(self.directory)
        (self.directory / "plugins").write_text("[].\n")
        settings = [f"listeners.tcp.1 = 127.0.0.1:{self._port}", "log.console = true"]
        if self._certificate is not None:
            settings += [
                f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}",
                f"ssl_options.certfile = {self._certificate}",
                f"ssl_options.keyfile = {self._certificate}",
                "ssl_options.verify = verify_none",
            ]
        (self.directory / "rabbitmq.conf").write_text("\n".join([*settings, ""]))
        return {
            "HOME": home,
            # Then its script becomes the server, and ends with the tests, where else it would wait.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log.d",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/no-env.conf",
            # Two cores are shared by all: idle schedulers must not spin. But those that read files
            # do for a moment: a start that wakes them for each of a thousand modules takes four
            # times as long.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdio short",
        }

    def answers(self) -> bool:
        """Whether it lets a client in."""
        try:
            BlockingConnection(URLParameters(self.url())).close()
        except (AMQPError, OSError):
            return False
        return True

    def control(self, *command: str) -> str:
        """What `rabbitmqctl` says to the command."""
        return subprocess.run(
            self.control_argv("--quiet", *command),
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def control_argv(self, *arguments: str) -> Sequence[str]:
        """What runs `rabbitmqctl` with these arguments."""
        return [str(_BIN / "rabbitmqctl"), *arguments]

    def evaluate(self, expression: str) -> None:
        """Have the node do what `rabbitmqctl` would ask of it, which itself takes seconds to start.

        `expression` is Erlang, without the full stop.
        """
        said = subprocess.run(
            ["erl_call", "-sname", self._name, "-c", self._cookie, "-e"],
            env={**os.environ, **self.environment()},
            input=f"{expression}.\n",
            capture_output=True,
            text=True,
        ).stdout
        assert said == "{ok, ok}", said

    @property
    def _name(self) -> str:
        return f"muster{self._port}@localhost"

    @property
    def _cookie(self) -> str:
        return (self.directory / ".erlang.cookie").read_text()


def _query(options: Mapping[str, str]) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in options.items())
    return f"?{pairs}" if pairs else ""


@contextmanager
def own_names(server_url: str) -> Iterator[str]:
    """The URL of the same virtual host with names of its own in it, deleted at the end."""
    prefix = f"{uuid.uuid4().hex}."
    yield f"{server_url}?prefix={prefix}"
    remove_topology(server_url, prefix)


def remove_topology(url: str, prefix: str) -> None:
    """Delete the exchange and the queues whose names begin with `prefix`."""
    topology = Topology(prefix)
    connection = BlockingConnection(URLParameters(url))
    channel = connection.channel()
    for name, _ in topology.queues():
        channel.queue_delete(name)
    channel.exchange_delete(topology.exchange)
    connection.close()


def require_rabbitmq() -> None:
    """Skip or fail where Debian's package is not installed."""
    require((_BIN / "rabbitmq-server").exists(), "rabbitmq-server")
