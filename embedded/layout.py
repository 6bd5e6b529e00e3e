"""Where in a data directory the databases and the files are, as the URLs say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from embedded.adapters import BackendSettings
from embedded.errors import BackupError
from muster.adapters import path_of

_EMBEDDED = ("sqlite://", "file://")
_NOT_IN_HOME = ("log", "run", "scratch")


@dataclass(frozen=True)
class Layout:
    """A data directory, and what of it the settings name, as `name`: its path below `home`."""

    home: Path
    _places: Mapping[str, Path]

    @classmethod
    def of(cls, settings: BackendSettings) -> "Layout":
        """The layout that the settings describe.

        Raises BackupError where they name a server, or a place outside the data directory.
        """
        home = settings.home.absolute()
        return cls(
            home,
            {
                name: _place(name, getattr(settings, name), home)
                for name in BackendSettings.model_fields
                if name.endswith(("_database_url", "broker_url", "_store_url"))
                and getattr(settings, name)
            },
        )

    def moved(self, home: Path) -> "Layout":
        """The same of another directory."""
        return replace(self, home=home)

    @property
    def records(self) -> Path:
        """The database of the upload records."""
        return self._at("csv_store_url") / "records.db"

    @property
    def files(self) -> Path:
        """The directory of the uploaded files."""
        name = "file_store_url" if "file_store_url" in self._places else "csv_store_url"
        return self._at(name) / "files"

    @property
    def databases(self) -> tuple[Path, ...]:
        """All databases, in the order in which they may be copied: docs/backup.md says why."""
        names = ("employment_database", "auth_database", "broker", "notification_database")
        return (self.records, *(self._at(f"{name}_url") for name in names))

    @property
    def passing(self) -> tuple[Path, ...]:
        """Directories that hold nothing which outlasts a run of the suite."""
        return tuple(self.home / name for name in _NOT_IN_HOME)

    @property
    def urls(self) -> dict[str, str]:
        """The settings that name these places, by their names."""
        return {
            name: f"{'file' if name.endswith('_store_url') else 'sqlite'}:///{self._quoted(name)}"
            for name in self._places
        }

    def environment(self) -> dict[str, str]:
        """The variables by which a command finds them."""
        urls = {f"MUSTER_{name.upper()}": url for name, url in self.urls.items()}
        not_in_files = {f"{variable}_FILE": "" for variable in urls}
        return {"MUSTER_HOME": str(self.home), **urls, **not_in_files}

    def _at(self, name: str) -> Path:
        return self.home / self._places[name]

    def _quoted(self, name: str) -> str:
        return self._at(name).as_uri().removeprefix("file://")


def _place(name: str, url: str, home: Path) -> Path:
    if url.startswith(_EMBEDDED):
        path = path_of(url).absolute()
        if path.is_relative_to(home):
            return path.relative_to(home)
    scheme = url.partition(":")[0]
    raise BackupError(
        f"MUSTER_{name.upper()} names what is not in {home} ({scheme}://…), so that no copy of it "
        "would hold all: docs/backup.md says how to back up servers."
    )
