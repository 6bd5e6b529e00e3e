"""A Debian in a directory: made once by debootstrap, and copied for each run."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.compat import commands
from tools.compat.commands import CommandFailed
from tools.compat.platforms import System

# Mounts and processes of its own: both end with `unshare`, however that ends. The shell stays
# process 1, which reaps what loses its parent.
_ENTER = """
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount --bind "$2" "$1/var/cache/apt/archives"
root=$1
shift 2
chroot "$root" "$@" || exit $?
"""
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_LENT_VARIABLES = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", *_PROXIES)
_LENT_FILES = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/pip.conf",
    "/etc/uv/uv.toml",
    "/root/.config/pip/pip.conf",
    "/root/.config/uv/uv.toml",
)
_AUTHORITIES = "usr/local/share/ca-certificates"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_FILES = {
    # No server starts when its package is installed.
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    # A mirror that keeps a day of the past is as good.
    "etc/apt/apt.conf.d/90compat": 'Acquire::Check-Valid-Until "false";\n',
}
# Thrown away soon: nothing need be on the disk for sure.
_INSTALL = "apt-get -qq install --no-install-recommends -o Dpkg::Options::=--force-unsafe-io"
# Where debootstrap's list has the release, beside which every mirror keeps its updates.
_ADD_UPDATES = """
sed -n '1s,^deb \\([^ ]*[^ /]\\)/* .*,deb \\1-security {} main,p' /etc/apt/sources.list \
    > /etc/apt/sources.list.d/updates.list
"""
_SETUP_SECONDS = 1800.0


class Root:
    """A minimal system at `directory`, as nobody has used it yet, on the machine's network."""

    def __init__(self, directory: Path, archives: Path, logs: Path) -> None:
        self.directory = directory
        self._archives = archives
        self._logs = logs

    def run(self, command: str, log: str) -> None:
        """Run the shell's command in it as root, with what it says in the log of that name.

        Raises CommandFailed if its status is not 0.
        """
        if status := self.attempt(command, log, {}, _SETUP_SECONDS):
            said = commands.tail(self.log(log))
            raise CommandFailed(f"{self._name}: {command}: ended with {status}\n{said}")

    def attempt(self, command: str, log: str, variables: Mapping[str, str], seconds: float) -> int:
        """Do so with these variables; returns the status.

        Raises CommandFailed if it takes longer.
        """
        try:
            return commands.run(
                self.argv(command), self.log(log), self._environment(variables), seconds
            )
        except CommandFailed as failure:
            raise CommandFailed(f"{self._name}: {command}: {failure}") from failure

    @contextmanager
    def running(self, command: str, log: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have the command run in it until the block ends."""
        argv, environment = self.argv(command), self._environment({})
        with commands.running(argv, self.log(log), environment) as process:
            yield process

    def argv(self, command: str) -> Sequence[str]:
        """What runs the shell's command in it."""
        places = (str(self.directory), str(self._archives))
        return [*_NAMESPACES, "sh", "-euc", _ENTER, "sh", *places, "sh", "-euc", command]

    def ask(self, command: str) -> str:
        """What the shell's command prints in it; raises CommandFailed."""
        self.run(command, "question")
        return self.log("question").read_text(encoding="utf-8").strip()

    def install(self, *packages: str) -> None:
        """Install Debian's packages without those that they only recommend."""
        self.run(f"DEBIAN_FRONTEND=noninteractive {_INSTALL} {' '.join(packages)}", "install")

    def megabytes(self, *paths: str) -> int:
        """What these paths in it take on the disk; of none, all of it."""
        found = [str(self.directory / path) for path in paths] or [str(self.directory)]
        listed = commands.capture("du", "--summarize", "--total", "--block-size=1000000", *found)
        return int(listed.splitlines()[-1].split()[0])

    def log(self, name: str) -> Path:
        """Where the log of that name is."""
        return self._logs / f"{name}.log"

    @property
    def _name(self) -> str:
        return self.directory.name

    def _environment(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            **lent_variables(os.environ, self.directory),
            **variables,
        }


def lent_variables(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """How this machine reaches the package indexes, less what names a path that `root` lacks."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_LENT_VARIABLES)
        and not (value.startswith("/") and not (root / value.lstrip("/")).exists())
    }


class Roots:
    """Makes roots in `directory`, which keeps the pristine ones and the packages downloaded."""

    def __init__(self, directory: Path, mirror: str) -> None:
        self._directory = directory
        self._mirror = mirror
        self._archives = directory / "archives"
        (self._archives / "partial").mkdir(parents=True, exist_ok=True)

    def make(self, name: str, system: System) -> Root:
        """A minimal root of the system, new though one of that name was there, and up to date."""
        base = self._base(system)
        self.remove(name)
        directory = self._directory / "roots" / name
        directory.parent.mkdir(exist_ok=True)
        commands.capture("cp", "--archive", "--reflink=auto", str(base), str(directory))
        root = Root(directory, self._archives, self._directory / "logs" / name)
        _lend(root)
        if system.updates:
            root.run(_ADD_UPDATES.format(system.updates), "updates")
        root.run("apt-get -qq update && apt-get -qq --with-new-pkgs upgrade", "upgrade")
        return root

    def find(self, name: str) -> Root | None:
        """The root of that name as it was left, if there is one."""
        directory = self._directory / "roots" / name
        if not directory.exists():
            return None
        return Root(directory, self._archives, self._directory / "logs" / name)

    def remove(self, name: str) -> None:
        """Free what the root of that name takes on the disk, if there is one."""
        shutil.rmtree(self._directory / "roots" / name, ignore_errors=True)

    def _base(self, system: System) -> Path:
        base = self._directory / "bases" / system.suite
        if not base.exists():
            _require_debootstrap()
            unfinished = base.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.parent.mkdir(exist_ok=True)
            log = self._directory / "logs" / f"{system.name}.log"
            argv = _debootstrap(system, unfinished, self._archives, self._mirror)
            if commands.run(argv, log, os.environ, _SETUP_SECONDS) != 0:
                raise CommandFailed(f"debootstrap of {system.title}\n{commands.tail(log)}")
            # It has copied them there.
            shutil.rmtree(unfinished / "var/cache/apt/archives")
            (unfinished / "var/cache/apt/archives").mkdir()
            unfinished.rename(base)
        return base


def _require_debootstrap() -> None:
    if not shutil.which("debootstrap"):
        commands.capture("apt-get", "-qq", "update")
        commands.capture("apt-get", "-qq", "install", "--no-install-recommends", "debootstrap")


def _debootstrap(system: System, target: Path, archives: Path, mirror: str) -> Sequence[str]:
    options = ("--variant=minbase", "--include=ca-certificates", f"--cache-dir={archives}")
    # Without a mirror it takes Debian's.
    return [
        *_NAMESPACES,
        "debootstrap",
        *options,
        system.suite,
        str(target),
        *filter(None, [mirror]),
    ]


def _lend(root: Root) -> None:
    for name in filter(os.path.isfile, _LENT_FILES):
        copy = root.directory / name.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, copy)
    if (authorities := Path("/", _AUTHORITIES)).is_dir():
        shutil.copytree(authorities, root.directory / _AUTHORITIES, dirs_exist_ok=True)
    for name, text in _FILES.items():
        path = root.directory / name
        path.write_text(text)
        path.chmod(0o755)
    root.run("update-ca-certificates", "certificates")
    # One that was put there by hand alone is known, too.
    if (bundle := Path("/", _BUNDLE)).is_file():
        shutil.copyfile(bundle, root.directory / _BUNDLE)
