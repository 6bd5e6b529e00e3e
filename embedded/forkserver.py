"""The process that imports once what the suite's processes share, and forks them.

A child that is forked starts in milliseconds and has its modules' memory in common with the others.
All that it gets of the fork server is that: the fork server opens no connection, reads no setting
of a service, has one thread, and is not its parent. Each is forked by a process that ends at once,
so that the supervisor, which has asked to be given such orphans, becomes the parent: it is told how
they end, they end when it dies, and the fork server may die and be started again meanwhile.

The supervisor has a ForkServer, which starts `python -m embedded.forkserver SOCKET PARENT ROOM`. A
request is a JSON object behind its length, with the descriptors of a socket to answer at, of the
output, and of a listener if there is one. The child itself answers, with its process id, and begins
when that has been read. Linux only.
"""

from muster import startup

# isort: split
import atexit
import ctypes
import errno
import fcntl
import json
import os
import runpy
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, cast

from embedded import lifeline

READY = b"ready"
GO = b"go"
LENGTH = struct.Struct("!I")
_MOST_DESCRIPTORS = 3

_MODULES = (
    "alembic.command",
    "argon2",
    "cachetools",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.serialization",
    "email.headerregistry",
    "flask.cli",
    "gunicorn.app.base",
    "gunicorn.workers.gthread",
    "jinja2",
    "jwt.algorithms",
    "limits",
    "logging.config",
    "muster.broker.messaging",
    "muster.contracts.encodings",
    "muster.contracts.error_codes",
    "muster.contracts.messages",
    "muster.contracts.rejects",
    "muster.contracts.tables.mapping",
    "muster.contracts.tables.sql",
    "muster.contracts.wording",
    "muster.database.migrations",
    "muster.http.revocations",
    "muster.stores",
    "muster.worker.migration",
    "muster.worker.process",
    "pydantic_settings",
    "pyroaring",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
    "werkzeug.middleware.proxy_fix",
    "werkzeug.sansio.multipart",
    "zxcvbn",
)
"""What the processes import as they start, but for the services themselves: what those keep in
their modules is theirs alone, the metrics that a process serves above all.
"""
_MODULES_WITH_PYARROW = ("pyarrow.compute", "pyarrow.csv")
"""As _MODULES, but MySQL's driver does not load once pyarrow is there."""
ENVIRONMENT = {
    # Threads that libraries would have by themselves, and a child would lack.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OPENBLAS_NUM_THREADS": "1",
    # glibc keeps the 19 MiB in which a password was checked for the next, unless it is told above
    # which size memory goes back at once.
    "MALLOC_MMAP_THRESHOLD_": str(16 * 1024**2),
}
"""Variables of the fork server alone."""
ROOM = "FORKSERVER_ROOM"
"""A variable whose length makes room for those of the children."""


@dataclass(frozen=True)
class Order:
    """A process to fork: its command and environment, and where it is to answer and write."""

    command: Sequence[str]
    environment: Mapping[str, str]
    control: int
    output: int
    inherited: int | None
    inherited_as: int | None

    def close(self) -> None:
        """Give up the descriptors."""
        for number in (self.control, self.output, self.inherited):
            if number is not None:
                os.close(number)

    def refuse(self, error: OSError) -> None:
        """Tell the supervisor why there is no process."""
        _send(self.control, {"errno": error.errno or errno.EIO})

    def become(self, supervisor: int) -> None:
        """Be that process, in a process that was forked for it; ends it if nobody wants it."""
        os.setsid()
        lifeline.die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)
        os.close(self.output)
        control = self.control
        if self.inherited is not None and self.inherited_as is not None:
            control = fcntl.fcntl(self.control, fcntl.F_DUPFD_CLOEXEC, self.inherited_as + 1)
            os.close(self.control)
            if self.inherited != self.inherited_as:
                os.dup2(self.inherited, self.inherited_as)
                os.close(self.inherited)
            os.set_inheritable(self.inherited_as, True)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.orig_argv[:] = self.command
        show(self.command, self.environment)
        _send(control, {"pid": os.getpid()})
        if os.read(control, len(GO)) != GO:
            os._exit(1)
        os.close(control)

    def run(self) -> NoReturn:
        """Run the command's module, as `python -m` does, and end this process."""
        startup.begin()
        _python, _m, module, *arguments = self.command
        sys.argv[:] = [module, *arguments]
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as error:
            _end(_status_of(error))
        except BaseException:  # noqa: BLE001 - as Python ends for whatever nobody took
            traceback.print_exc()
            _end(1)
        else:
            _end(0)


def _status_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def _end(status: int) -> NoReturn:
    """End as Python does, but for taking its modules apart: a copy of each page that they are on.

    As multiprocessing ends what it forks.
    """
    cast(Any, threading)._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


def _send(control: int, answer: Mapping[str, int]) -> None:
    with suppress(OSError):
        os.write(control, json.dumps(answer).encode())


def load_modules() -> None:
    """Import what the processes share."""
    # Not above: the supervisor imports this module, but has no use for what that one imports.
    from embedded.adapters import import_adapters

    for module in _MODULES:
        import_module(module)
    import_adapters()
    for module in _MODULES_WITH_PYARROW:
        import_module(module)


def serve(requests: socket.socket, supervisor: int) -> Order | None:
    """Fork whom the supervisor asks for, until it is gone: None. Returns an Order in the child."""
    while (order := _receive(requests)) is not None:
        try:
            between = os.fork()
        except OSError as error:
            order.refuse(error)
        else:
            if between == 0:
                _fork_orphan(order)
                requests.close()
                order.become(supervisor)
                return order
            os.waitpid(between, 0)
        order.close()
    return None


def _fork_orphan(order: Order) -> None:
    """Return in a child of this process, which ends; the child has another parent by then."""
    between = os.getpid()
    try:
        child = os.fork()
    except OSError as error:
        order.refuse(error)
        os._exit(1)
    if child:
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.0005)


def _receive(requests: socket.socket) -> Order | None:
    header, descriptors, _, _ = socket.recv_fds(requests, LENGTH.size, _MOST_DESCRIPTORS)
    if not header:
        return None
    (length,) = LENGTH.unpack(header)
    request = json.loads(_receive_all(requests, length))
    control, output, *inherited = descriptors
    return Order(
        request["command"],
        request["environment"],
        control,
        output,
        inherited[0] if inherited else None,
        request["inherited_as"],
    )


def _receive_all(requests: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = requests.recv(length - len(received))
        if not part:
            raise EOFError("the supervisor ended")
        received += part
    return bytes(received)


def show(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Have the kernel show this command and environment for this process, as far as they fit.

    `ps` reads them from where the process was given its own, which is room enough: see ROOM. What
    it was given as its environment must no longer be in use if another is shown. The kernel takes
    one string for the command if the last byte of that place is not 0 (proc_pid_cmdline(5)).
    """
    fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
    arguments, arguments_end, variables, variables_end = map(int, fields[45:49])
    _write(arguments, arguments_end, os.fsencode(" ".join(command)), last=b"x")
    if environment is not None:
        block = b"".join(os.fsencode(f"{name}={value}\0") for name, value in environment.items())
        _write(variables, variables_end, block, last=b"\0")


def _write(start: int, end: int, text: bytes, last: bytes) -> None:
    room = end - start - 2
    if room > 0:
        ctypes.memmove(start, text[:room].ljust(room + 1, b"\0") + last, room + 2)


def main() -> None:
    """Serve until the supervisor is gone; or be the process that was asked for."""
    _, number, parent, _room = sys.argv
    supervisor = int(parent)
    lifeline.die_with_parent(signal.SIGKILL)
    requests = socket.socket(fileno=int(number))
    show(sys.orig_argv[:-1])
    load_modules()
    startup.complete()
    threads = len([*Path("/proc/self/task").iterdir()])
    if threads > 1:
        # A thread holds locks that nobody would give back in a child.
        sys.exit(f"{threads} threads run: none may beside the one that forks")
    requests.sendall(READY)
    order = serve(requests, supervisor)
    if order is not None:
        order.run()


if __name__ == "__main__":
    main()
