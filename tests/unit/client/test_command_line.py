"""The command without a suite: its help, its completion, and what it never says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from muster_client.command.app import muster
from muster_client.command.exits import EPILOG
from muster_client.profiles import Profile, Profiles, UnreadableProfiles

ROOT = Path(__file__).parents[3]
README = (ROOT / "client/README.md").read_text("utf-8")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(muster, "muster"))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_option_has_a_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []
    # What the list of commands shows is a whole sentence.
    assert command.get_short_help_str(62).endswith(".")
    assert "..." not in command.get_short_help_str(62)


def test_the_readme_has_each_command_and_each_status() -> None:
    missing = [name for name in COMMANDS if name.count(" ") == 1 and name not in README]
    assert missing == []
    said = set(re.findall(r"^\| (\d+) \| ", README, re.MULTILINE))
    assert said == set(re.findall(r"^ +(\d+)  ", EPILOG, re.MULTILINE))


def test_nothing_tells_people_to_install_the_strangers_package() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "client").rglob("*.*")]
    wrong = re.compile(r"(pip|pipx|uv tool|uvx|uv add)[a-z ]* (install )?muster\b(?!-)")
    read = [path for path in texts if path.suffix in {".md", ".py", ".toml"}]
    assert [path for path in read if wrong.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_completes(shell: str, tmp_path: Path) -> None:
    word = "up" if shell == "fish" else "1"
    asked = {"_MUSTER_COMPLETE": f"{shell}_complete", "COMP_WORDS": "muster up", "COMP_CWORD": word}
    completed = subprocess.run(
        [sys.executable, "-m", "muster_client.command"],
        env={**os.environ, **asked, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "upload" in completed.stdout


def test_profiles_are_kept_apart_and_for_their_owner_alone(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path / "new" / "profiles.json")
    assert profiles.find("a") is None
    a = Profile("https://a.example.com", "ana@example.com", "secret")
    profiles.save("a", a)
    profiles.save("b", Profile("https://b.example.com", "bo@example.com", "other"))
    profiles.remove("b")
    assert (profiles.find("a"), profiles.names()) == (a, ["a"])
    assert [path.name for path in profiles.path.parent.iterdir()] == ["profiles.json"]
    assert profiles.path.stat().st_mode & 0o777 == 0o600
    profiles.path.write_text("{}")
    with pytest.raises(UnreadableProfiles, match="log in again"):
        profiles.find("a")
