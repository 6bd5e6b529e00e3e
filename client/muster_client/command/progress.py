"""The bar that a terminal shows while a file is sent and loaded."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from muster_client.models import Upload

_LOADED = 1.0


class RichBar:
    """Two bars in one place: the bytes that are sent, then what is loaded of them."""

    def __init__(self, filename: str, size: int) -> None:
        self._console = Console(stderr=True)
        name = TextColumn(filename, markup=False)
        self._sending = Progress(
            name,
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._loading = Progress(
            name,
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
        )
        self._task = self._sending.add_task("", total=size)
        self._load = self._loading.add_task("queued", total=_LOADED)

    def sent(self, count: int) -> None:
        """So many bytes have been sent."""
        self._sending.update(self._task, completed=count)

    def stands(self, upload: Upload) -> None:
        """The upload is on its way through the suite."""
        self._sending.stop()
        self._loading.start()
        said = upload.state if upload.error is None else f"{upload.state}: {upload.error.code}"
        self._loading.update(self._load, completed=upload.progress, description=said)

    def __enter__(self) -> Self:
        self._sending.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._sending.stop()
        self._loading.stop()
