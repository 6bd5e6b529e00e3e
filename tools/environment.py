"""Sets the checkout up, for the Makefile: `python -m tools.environment UV_VERSION STAMP`.

uv comes into .uv and what uv.lock pins into the directory of STAMP. The name of the stamp says
what is wanted: .venv/.synced is what the suite runs on, .venv/.synced-servers adds the drivers of
servers and .venv/.synced-dev the dependency group dev, which includes them. An environment only
grows: a group that it has is kept, and kept up to date.

Runs before anything is installed: it imports the standard library only.
"""

import errno
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.terminal import Style, Terminal

ROOT = Path(__file__).parents[1]
_UV = ROOT / ".uv"
_LOG = _UV / "set-up.log"
_STAMP = ".synced"
# What an environment takes on Linux, in MB, beside what it runs on.
MEGABYTES = {"": 260, "servers": 100, "dev": 760, "docs": 150, "lint": 50, "bench": 150}
# Extras of the package muster, whose adapters import a driver when a URL asks for it.
_DRIVERS = ("mongodb", "mysql", "rabbitmq", "s3")

_AGAIN = "then run make again."
# What pip and uv report of a failure, and what to do about it.
_CAUSES = (
    (
        "Failed to initialize cache at `(.+)`",
        "uv can't write its cache {0}: set UV_CACHE_DIR to a directory of yours, " + _AGAIN,
    ),
    (
        "No space left on device|Disk quota exceeded",
        "The disk is full: make room for 1 GB in the checkout and in uv's cache, " + _AGAIN,
    ),
    (
        "(?:Failed to parse:? `?|Unable to find lockfile at `)(uv.lock|[a-z/]*pyproject.toml)",
        "{0} can't be read: restore it, with git checkout {0}, " + _AGAIN,
    ),
    (
        "CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        "The certificate of the package index is not trusted: set PIP_CERT and SSL_CERT_FILE to "
        "the file of certificates that your network uses, " + _AGAIN,
    ),
    (
        "Proxy Authentication|Tunnel connection failed|ProxyError",
        "The proxy lets nothing through to the package index: check HTTPS_PROXY, " + _AGAIN,
    ),
    (
        "name resolution|dns error|error sending request|NewConnectionError|Retrying|timed out",
        "The package index can't be reached, and set-up needs it once: connect this machine to "
        "the network or set HTTPS_PROXY, " + _AGAIN,
    ),
    (
        "No matching distribution found for (\\S+)",
        "The package index that pip asks has no {0} for this machine: check PIP_INDEX_URL and "
        "pip's configuration, " + _AGAIN,
    ),
)


class SetUpError(Exception):
    """The checkout can't be set up; the message says in one sentence why and what to do."""


class CommandFailed(SetUpError):
    """pip or uv ended badly; `output` is all that it printed."""

    def __init__(self, output: str) -> None:
        super().__init__(explain(output))
        self.output = output


class Environment:
    """A virtual environment of uv's, with a stamp for each group of packages that it has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begun = path / ".begun"
        self.groups = set() if self._begun.exists() else set(self._stamped())

    def _stamped(self) -> Iterator[str]:
        return (group_of(stamp) for stamp in self.path.glob(f"{_STAMP}*"))

    def sync(self, group: str, terminal: Terminal) -> bool:
        """Install what uv.lock pins for `group` and for the groups that are there already.

        An environment that was left half done is made anew. Returns whether anything had to be
        installed.
        """
        if not self.groups and self.path.exists():
            shutil.rmtree(self.path)
        groups = {"", group, *self.groups}
        command = self._command(groups)
        count = re.search(r"Would install (\d+ packages?)", _run([*command, "--dry-run"]))
        if count:
            terminal.say(f"{_beginning(groups - self.groups, count[1])} …", Style.STEP)
        self._install(command, terminal)
        for each in groups:
            (self.path / (f"{_STAMP}-{each}" if each else _STAMP)).touch()
        return count is not None

    def _install(self, command: list[str], terminal: Terminal) -> None:
        if self.groups:
            self._begun.touch()
        try:
            _run(command, terminal)
        except CommandFailed as failure:
            # What runs on the groups that are there is to run on without a network.
            if re.search("^error: Failed to (?:build|download|fetch)", failure.output, re.M):
                self._begun.unlink(missing_ok=True)
            raise
        self._begun.unlink(missing_ok=True)

    def _command(self, groups: set[str]) -> list[str]:
        asked = [f"--group={group}" for group in sorted(groups - {"", "servers"})]
        if not groups & {"servers", "dev"}:
            asked += [f"--no-install-package={driver}" for driver in drivers()]
        # Not the Python of an environment, which may be the one that is replaced.
        python = getattr(sys, "_base_executable", sys.executable)
        command = [str(_UV / "bin/uv"), "sync", "--frozen", "--no-default-groups", *asked]
        return ["env", f"UV_PROJECT_ENVIRONMENT={self.path}", *command, "--python", python]

    def megabytes(self) -> int:
        """What its files take."""
        files = (Path(folder, name) for folder, _, names in os.walk(self.path) for name in names)
        return round(sum(file.lstat().st_size for file in files) / 1e6)


def drivers() -> list[str]:
    """The packages that only servers need."""
    project = tomllib.loads((ROOT / "muster/pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    required = (requirement for extra in _DRIVERS for requirement in extras[extra])
    return [re.split("[^a-z-]", requirement)[0] for requirement in required]


def group_of(stamp: Path) -> str:
    """The group of packages that a stamp stands for; "" is what the suite runs on."""
    return stamp.name.removeprefix(_STAMP).strip("-")


def _beginning(new: set[str], packages: str) -> str:
    if not new:
        return f"Setting up: installing {packages}"
    size = sum(MEGABYTES[group] for group in new)
    return f"Setting up, once: installing {packages} (about {size} MB)"


def main(uv_version: str, stamp: str) -> int:
    """Set up what `stamp` stands for; returns the exit status."""
    terminal = Terminal(sys.stderr)
    try:
        with _at_one_time(terminal):
            _set_up(uv_version, ROOT / stamp, terminal)
    except SetUpError as error:
        terminal.say(f"muster: {error}", Style.BAD)
        return 1
    except KeyboardInterrupt:
        terminal.say("Set-up is broken off; the next make begins it again.")
        return 130
    return 0


def _set_up(uv_version: str, stamp: Path, terminal: Terminal) -> None:
    started = time.monotonic()
    environment = Environment(stamp.parent)
    try:
        _install_uv(uv_version, terminal)
        anew = environment.sync(group_of(stamp), terminal)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SetUpError(explain(str(error))) from error
        raise SetUpError(
            f"{error.filename} can't be written ({error.strerror}): set up a clone of the "
            "repository in a directory of yours."
        ) from error
    if anew:
        seconds, place = time.monotonic() - started, stamp.parent.name
        terminal.say(f"Set up in {seconds:.0f} s: {environment.megabytes()} MB in {place}.")


@contextmanager
def _at_one_time(terminal: Terminal) -> Iterator[None]:
    """Let one set-up of the checkout go on at a time."""
    checkout = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(checkout, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            terminal.say("Another make sets this checkout up: waiting for it …")
            fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


def _install_uv(version: str, terminal: Terminal) -> None:
    installed = _UV / f"uv-{version}"
    if installed.exists():
        return
    terminal.say(f"Setting up, once: uv {version}, which installs the rest …", Style.STEP)
    if _UV.exists():
        shutil.rmtree(_UV)
    _UV.mkdir()
    pip = [sys.executable, "-m", "pip"]
    where = ["--target", str(_UV)]
    if not _can_import("pip"):
        # Slower, as it installs a pip that nothing else needs.
        if not (_can_import("venv") and _can_import("ensurepip")):
            raise SetUpError(_no_venv())
        _run([sys.executable, "-m", "venv", str(_UV)])
        pip, where = [str(_UV / "bin" / "python"), "-m", "pip"], []
    _run([*pip, "install", "--quiet", "--retries=2", *where, f"uv=={version}"])
    installed.touch()


def _can_import(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _no_venv() -> str:
    version = f"python3.{sys.version_info.minor}"
    return (
        f"{sys.executable} has neither pip nor venv: install one of them (on Debian and Ubuntu "
        f"apt-get install {version}-venv), {_AGAIN}"
    )


def _run(command: list[str], terminal: Terminal | None = None) -> str:
    """Run a command and return what it printed; raises SetUpError when it fails.

    The last line is shown on `terminal` meanwhile.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines = []
    with process:
        for line in process.stdout or ():
            lines.append(line)
            if terminal is not None:
                terminal.show(f"  {line.strip()}")
    output = "".join(lines)
    if process.returncode:
        _LOG.write_text(output)
        raise CommandFailed(output)
    return output


_ENVIRONMENT = {
    # Where a person's configuration wants them, pip refuses --target.
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_NO_PROGRESS": "1",
}


def explain(output: str) -> str:
    """What to do about a failure of pip or uv, in one sentence, from what it printed."""
    for cause, advice in _CAUSES:
        found = re.search(cause, output)
        if found:
            return advice.format(*filter(None, found.groups()))
    errors = re.findall(r"(?i)^ *(?:error|cause): *(.+)", output, re.MULTILINE)
    last = f": {errors[-1].rstrip('.')}" if errors else ""
    return f"Set-up failed{last}. Everything that was reported is in {_LOG.relative_to(ROOT)}."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
