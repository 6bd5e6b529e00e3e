"""Where the command keeps which suite it talks to, as whom, and with which token.

One file, `profiles.json` in the platform's folder for configuration, readable by its owner alone.
It holds tokens or access keys, never a password.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from muster_client.errors import MusterError

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class UnreadableProfiles(MusterError):
    """The file of profiles is not what this command writes."""


@dataclass(frozen=True)
class Profile:
    """A suite, a user of it, and the token to ask with, which ends at `expires_at` (RFC 3339)."""

    url: str
    email: str
    token: str
    expires_at: str | None = None


class Profiles:
    """The profiles by name, in a file that is read at each look and replaced as a whole."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_config_path("muster") / "profiles.json"

    def find(self, name: str) -> Profile | None:
        """The profile, if there is one of that name. Raises UnreadableProfiles."""
        fields: dict[str, Any] | None = self._read().get(name)
        try:
            return None if fields is None else Profile(**fields)
        except TypeError as error:
            raise self._unreadable(error) from error

    def names(self) -> list[str]:
        """The names of all profiles. Raises UnreadableProfiles."""
        return list(self._read())

    def save(self, name: str, profile: Profile) -> None:
        """Keep the profile, in place of one of that name."""
        self._write({**self._read(), name: asdict(profile)})

    def remove(self, name: str) -> None:
        """Forget the profile."""
        self._write({each: kept for each, kept in self._read().items() if each != name})

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            profiles = json.loads(self.path.read_text("utf-8"))["profiles"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(error) from error
        if not isinstance(profiles, dict):
            raise self._unreadable("no profiles")
        return profiles

    def _write(self, profiles: dict[str, dict[str, Any]]) -> None:
        folder = self.path.parent
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # mkstemp makes a file that nobody else can read.
        handle, name = tempfile.mkstemp(dir=folder, prefix=".profiles-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"profiles": profiles}, file, indent=1)
                file.write("\n")
            Path(name).chmod(_FILE_MODE)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _unreadable(self, why: object) -> UnreadableProfiles:
        return UnreadableProfiles(f"{self.path} can't be read ({why}): remove it and log in again.")
