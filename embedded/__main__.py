"""`python -m embedded`: run the whole suite on this machine until a signal stops it."""

from muster import startup

# isort: split
import argparse
import os
import signal
import sys
import textwrap
import threading
from contextlib import suppress
from functools import partial

from pydantic import ValidationError

from embedded import lifeline
from embedded.child import Child
from embedded.errors import StartError
from embedded.fork_client import ForkServer
from embedded.home import Home
from embedded.launcher import Execute
from embedded.settings import EmbeddedSettings
from embedded.suite import Suite, plan_suite
from embedded.supervisor import ChildFailed, Supervisor, run_to_end
from embedded.terminal import Style, Terminal
from muster.adapters import ConfigurationError
from muster.observability.logs import configure_logging
from muster.worker.shutdown import Stopped, on_signal

_DESCRIPTION = """\
Run all of Muster on this machine until Ctrl-C or SIGTERM. It makes its data directory,
databases and first administrator itself, starts its processes, starts again those that
die, and prints one line on standard output when it can serve."""


# Not standard output, which has one line only: the one that says the suite is ready.
_SCREEN = Terminal(sys.stderr)


def main() -> int:
    """Run the suite; returns the exit status."""
    startup.complete()
    _parse_arguments()
    configure_logging("embedded", os.environ.get("MUSTER_LOG_LEVEL") or "INFO")
    try:
        run(EmbeddedSettings(), _stop_on_signals())
    except ValidationError as error:
        for problem in error.errors():
            _complain(f"MUSTER_{str(problem['loc'][0]).upper()}: {problem['msg']}")
        return 2
    except ConfigurationError as error:
        _complain(str(error))
        return 2
    except StartError as error:
        _complain(str(error))
        if isinstance(error, ChildFailed):
            _SCREEN.say(error.child.log_tail())
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        _complain(
            f"{error.filename} can't be used ({error.strerror}): set MUSTER_HOME to a directory of "
            "yours."
        )
        return 1
    return 0


def run(settings: EmbeddedSettings, stop: threading.Event) -> None:
    """Start the suite, say so, and keep it running until `stop` is set. Raises StartError."""
    with Home(settings.home) as home:
        _run_on(home, settings, stop)


def _run_on(home: Home, settings: EmbeddedSettings, stop: threading.Event) -> None:
    suite = plan_suite(
        {**_for_scratch(home), **os.environ, "MUSTER_HOME": str(home.path)},
        settings.port,
        settings.admin_email,
        _admin_password(settings, home),
    )
    forkserver = _forkserver(home, suite)
    make_child = partial(
        Child,
        home=home,
        longest_backoff=settings.restart_seconds,
        launcher=forkserver or Execute(),
    )
    supervisor = Supervisor([*map(make_child, suite.processes)], stop, forkserver)
    try:
        supervisor.await_forkserver()
        _check(make_child(suite.check), stop)
        _SCREEN.say("Making the databases ready …", Style.STEP)
        run_to_end([*map(make_child, suite.migrations)], stop)
        _SCREEN.say(f"Starting {len(suite.processes)} processes …", Style.STEP)
        supervisor.launch()
        _make_admin(make_child(suite.admin), home, stop)
        supervisor.await_ready(settings.start_seconds)
        Terminal(sys.stdout).say(f"muster is ready at {suite.url}", Style.GOOD)
        _say_what_next(suite, home, settings)
        supervisor.run()
    except Stopped:
        pass
    finally:
        _stop(supervisor, settings.stop_seconds)
        suite.close()


def _forkserver(home: Home, suite: Suite) -> ForkServer | None:
    # What a process of another system has imported may not be used in what it forks.
    if sys.platform != "linux":
        return None
    lifeline.adopt_orphans()
    return ForkServer(home, suite.check.environment)


def _check(check: Child, stop: threading.Event) -> None:
    with suppress(OSError):
        check.log.unlink(missing_ok=True)
    try:
        run_to_end([check], stop)
    except ChildFailed as error:
        raise StartError(check.log_tail() or str(error)) from error


def _make_admin(admin: Child, home: Home, stop: threading.Event) -> None:
    run_to_end([admin], stop)
    if not home.has_admin:
        # A database that outlived another home keeps its administrator, whose password stays.
        _SCREEN.say(admin.log_tail().splitlines()[-1])
        home.remember_admin()


def _for_scratch(home: Home) -> dict[str, str]:
    # The directory for temporary files is often small, or memory.
    return {"MUSTER_SCRATCH_DIR": str(home.scratch), "SQLITE_TMPDIR": str(home.scratch)}


def _say_what_next(suite: Suite, home: Home, settings: EmbeddedSettings) -> None:
    first_password = "as it was set"  # noqa: S105
    if settings.admin_password is not None:
        first_password = "as MUSTER_ADMIN_PASSWORD was, or its file, when the account was made"  # noqa: S105
    elif home.admin_password_file.exists():
        first_password = f"in {home.admin_password_file}, until it is changed"
    for what, where in {
        "sign in as": settings.admin_email,
        "password": first_password,
        "API": f"{suite.url}/docs",
        "logs": f"in {home.logs}",
        "to stop": "Ctrl-C" if _SCREEN.is_terminal else f"kill {os.getpid()}",
    }.items():
        _SCREEN.say(f"  {what:<12}{where}")


def _stop(supervisor: Supervisor, seconds: float) -> None:
    if not supervisor.running:
        supervisor.stop(seconds)
        return
    _SCREEN.say(
        f"Stopping: what is being done is finished, or given up after {seconds:g} s …", Style.STEP
    )
    supervisor.stop(seconds, _show_waiting)
    _SCREEN.say("Stopped.")


def _show_waiting(names: list[str]) -> None:
    if names:
        _SCREEN.show(f"  waiting for {', '.join(names)}")


def _admin_password(settings: EmbeddedSettings, home: Home) -> str | None:
    if settings.admin_password is not None:
        return settings.admin_password.get_secret_value()
    return home.admin_password()


def _stop_on_signals() -> threading.Event:
    numbers = [signal.SIGINT, signal.SIGTERM]
    # nohup starts a program with SIGHUP ignored, and so it stays.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return on_signal(numbers)


def _complain(text: str) -> None:
    _SCREEN.say(f"muster: {text}", Style.BAD)


def _parse_arguments() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m embedded",
        description=_DESCRIPTION,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()


def _epilog() -> str:
    lines = ["environment variables:"]
    for name, field in EmbeddedSettings.model_fields.items():
        default = "" if field.default is None else f" (default {field.default})"
        lines.append(f"  MUSTER_{name.upper()}{default}")
        lines += textwrap.wrap(
            field.description or "", 72, initial_indent="      ", subsequent_indent="      "
        )
    return "\n".join([*lines, "", "The services read more; docs/configuration.md has all of them."])


if __name__ == "__main__":
    sys.exit(main())
