"""The CSV store, as a service opens it: files and upload records, at one URL or at two."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from typing import Any, BinaryIO

from muster.backends.shared import Shared
from muster.contracts.uploads import UNFINISHED, State, Upload
from muster.filestore import FileNotStored, FileStore, open_file_store
from muster.uploadstore import UploadStore, open_upload_store
from muster.weather import FileDamaged

_FINAL = frozenset(State) - UNFINISHED


@dataclass(frozen=True)
class Stores:
    """Both halves of the CSV store."""

    files: FileStore
    uploads: UploadStore

    def files_in_records(self, uploads: Sequence[Upload]) -> Mapping[str, bytes]:
        """The files of those of the uploads that are `in_record`, by their ids, in one call.

        Raises StoreUnavailable.
        """
        ids = [upload.id for upload in uploads if upload.in_record]
        return self.uploads.contents(ids) if ids else {}

    def open_file(self, upload: Upload, in_records: Mapping[str, bytes] | None = None) -> BinaryIO:
        """The upload's file, from its start; seekable. Raises as `FileStore.open` does.

        What is kept with records may have been read before. A file of another size than was sent is
        damaged.
        """
        stored = self._open(upload, in_records)
        if (size := stored.seek(0, SEEK_END)) != upload.size:
            stored.close()
            raise FileDamaged(f"{upload.id} has {size} bytes and was sent with {upload.size}")
        stored.seek(0)
        return stored

    def remove_files(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State] = _FINAL
    ) -> None:
        """Make `changes` of uploads, `files_removed` among them, and remove file and rejects.

        They are final, unless another state is to be expected. The records say so first: then
        nobody who dies in between leaves a file that is named. May be repeated. Raises
        StoreUnavailable.
        """
        for upload in self.uploads.drop_contents(changes, expect=expect):
            if upload.files_removed is None:
                continue
            if not upload.in_record:
                self.files.delete(upload.id)
            if upload.rejects is not None or upload.rows.rejected:
                self.files.delete(upload.rejects_name)

    def check(self) -> None:
        """Return if both can be read and written; raises StoreUnavailable."""
        self.uploads.check()
        self.files.check()

    def close(self) -> None:
        """Give up connections. Neither can be used afterwards."""
        self.files.close()
        self.uploads.close()

    def _open(self, upload: Upload, in_records: Mapping[str, bytes] | None) -> BinaryIO:
        if not upload.in_record:
            return self.files.open(upload.id)
        if in_records is None:
            in_records = self.files_in_records([upload])
        content = in_records.get(upload.id)
        if content is None:
            raise FileNotStored(upload.id)
        return BytesIO(content)


def open_stores(csv_store_url: str, file_store_url: str = "", places: int | None = None) -> Stores:
    """The records at `csv_store_url`, the files at `file_store_url` or, if blank, there, too.

    Connects at first use. At most `places` threads may wait at once for those behind a network;
    any number if it is None. Raises ConfigurationError.
    """
    shared = Shared(places)
    uploads = open_upload_store(csv_store_url, shared)
    files = open_file_store(file_store_url or csv_store_url, shared)
    return Stores(files, uploads)
