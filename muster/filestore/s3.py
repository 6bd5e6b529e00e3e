"""The file store in S3: `s3://bucket/prefix`, on AWS or any other server for its protocol.

A file is an object; what S3 shows is whole. One of several parts is a multipart upload, of which
nothing is seen before it is completed, and which has a name for the sweep until then.
"""

import base64
import hashlib
import io
import math
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError

from muster.backends.s3 import S3Bucket, code_of
from muster.backends.shared import Shared
from muster.filestore import FileNotStored, FileWriter
from muster.filestore.common import BlockFile, finished
from muster.weather import FileDamaged, StoreUnavailable

if TYPE_CHECKING:
    pass

# S3 takes no smaller part, but for the last, and 10,000 of them: 48 GiB. Reading takes as much at
# once, so that what was written in one call is read and checked in one.
_PART_BYTES = 5 * 1024**2
_MAX_PARTS = 10_000
# A body comes in pieces, and is given up when it takes so many times as long as an answer may.
_PIECE_BYTES = 256 * 1024
_BLOCK_PATIENCE = 4
_PAGE = 1000

# No upload's id has a dot, and none of these is the name of a file.
_PROBE = ".probe"
_REMAINS = re.compile(r"\.([^/]+)/(.+)\.part")

_ABSENT = frozenset({"NoSuchKey", "404"})
_NO_UPLOAD = frozenset({"NoSuchUpload", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
_OUTSIDE = frozenset({"InvalidRange", "416"})


class S3FileStore:
    """Files in a bucket of S3; see FileStore for what is promised."""

    def __init__(self, url: str, shared: Shared) -> None:
        self._bucket = S3Bucket(url, shared)

    @contextmanager
    def write(self, name: str) -> Iterator[FileWriter]:
        """Write the file `name`: whole and durable once the block ends without an exception."""
        with finished(_Writer(self._bucket, name)) as writer:
            yield writer

    def open(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged."""
        return io.BufferedReader(_StoredFile(self._bucket, name))

    def delete(self, name: str) -> None:
        """Remove the file `name`, or what `names` called so, if it is there."""
        remains = _REMAINS.fullmatch(name)
        with self._bucket.using() as client:
            if remains is None:
                client.delete_object(**self._bucket.of(name))
            else:
                _abort(client, self._bucket.of(remains[1]), remains[2])

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        """The names of files last written at least `older_than` seconds ago.

        And, as `.NAME/ID.part`, of uploads in parts that were left. S3 finds nothing by its age:
        the work grows with the number of all files, at 1,000 of them a call.
        """
        moment = time.time()
        latest, earliest = moment - older_than, moment - newer_than
        for written, name in self._objects():
            # The prefix itself may be there, too, as what other tools take for a directory.
            if earliest <= written <= latest and name and not name.startswith("."):
                yield name
        for begun, name, upload_id in self._begun_uploads():
            if begun > latest:
                continue
            written = self._last_written(name, upload_id, begun)
            if earliest <= written <= latest:
                yield f".{name}/{upload_id}.part"

    def check(self) -> None:
        """Return if files can be read and written.

        Without writing one, which costs money and may leave a version: by what takes the same
        rights but one, removing and looking for what is not there.
        """
        probe = self._bucket.of(_PROBE)
        with self._bucket.using() as client:
            client.delete_object(**probe)
            with _unless(_ABSENT):
                client.head_object(**probe)

    def close(self) -> None:
        """Give up the connections."""
        self._bucket.close()

    def _objects(self) -> Iterator[tuple[float, str]]:
        """When each file was written, and its name."""
        for page in self._pages("list_objects_v2", {"ContinuationToken": "NextContinuationToken"}):
            for found in page.get("Contents", []):
                yield found["LastModified"].timestamp(), self._name_of(found)

    def _begun_uploads(self) -> Iterator[tuple[float, str, str]]:
        """When each upload in parts was begun, the name that its file would have, and its id."""
        markers = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        for page in self._pages("list_multipart_uploads", markers):
            for found in page.get("Uploads", []):
                yield found["Initiated"].timestamp(), self._name_of(found), found["UploadId"]

    def _pages(self, operation: str, markers: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The pages of a listing; between two of them the caller may use the store."""
        location = self._bucket.location
        limit = "MaxKeys" if operation == "list_objects_v2" else "MaxUploads"
        arguments = {"Bucket": location.bucket, "Prefix": location.prefix, "Delimiter": "/"}
        while True:
            with self._bucket.using() as client:
                page = getattr(client, operation)(**arguments, **{limit: _PAGE})
            yield page
            if not page.get("IsTruncated"):
                return
            arguments |= {name: page[its] for name, its in markers.items() if page.get(its)}

    def _name_of(self, found: dict[str, Any]) -> str:
        return str(found["Key"]).removeprefix(self._bucket.location.prefix)

    def _last_written(self, name: str, upload_id: str, begun: float) -> float:
        """When the last part of an upload came; nan if the upload is gone."""
        written, marker = begun, 0
        while True:
            with self._bucket.using() as client, _unless(_NO_UPLOAD) as gone:
                named = {**self._bucket.of(name), "UploadId": upload_id}
                page = client.list_parts(**named, PartNumberMarker=marker, MaxParts=_PAGE)
            if gone:
                return math.nan
            for part in page.get("Parts", []):
                written = max(written, part["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return written
            marker = page["NextPartNumberMarker"]


class _Writer:
    """A file being written, by one thread.

    What fits into a part is written in one call. Of more, each part is written by a thread of the
    writer's own while the next one comes; two are held in memory.
    """

    def __init__(self, bucket: S3Bucket, name: str) -> None:
        self._bucket = bucket
        self._name = name
        self._object = bucket.of(name)
        # By this its own file is known, if the answer to its last call was lost.
        self._token = secrets.token_hex(16)
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        # Its thread is started by the first part.
        self._thread = ThreadPoolExecutor(1, "s3")
        self._writing: Future[dict[str, Any]] | None = None
        self._may_be_stored = False
        self._stored = False

    def write(self, data: bytes, /) -> int:
        """Append `data`; returns its length. Raises StoreUnavailable."""
        rest = memoryview(data)
        while rest:
            if len(self._buffer) == _PART_BYTES:
                self._write_behind()
            room = _PART_BYTES - len(self._buffer)
            self._buffer += rest[:room]
            rest = rest[room:]
        return len(data)

    def finish(self) -> None:
        """Show the file under its name. Raises StoreUnavailable."""
        if self._upload_id is None:
            self._put()
        else:
            self._write_behind()
            self._await_writing()
            self._thread.shutdown()
            self._complete()
        self._stored = True

    def abandon(self) -> None:
        """Remove what was written, unless it is finished."""
        with suppress(StoreUnavailable, ClientError):
            self._await_writing()
        self._thread.shutdown()
        if self._stored:
            return
        # What broke the writer must be raised, not this; the sweep finds what is left.
        with suppress(StoreUnavailable), self._bucket.using() as client:
            if self._upload_id is not None:
                _abort(client, self._object, self._upload_id)
            if self._may_be_stored and self._is_own(client):
                client.delete_object(**self._object)

    def _put(self) -> None:
        digest = _md5(self._buffer)
        self._may_be_stored = True
        with self._bucket.using() as client:
            client.put_object(
                **self._object,
                Body=self._buffer,
                ContentMD5=_base64(digest),
                Metadata={"writer": self._token, "md5": digest.hex()},
            )

    def _write_behind(self) -> None:
        if self._upload_id is None:
            with self._bucket.using() as client:
                metadata = {"writer": self._token}
                begun = client.create_multipart_upload(**self._object, Metadata=metadata)
            self._upload_id = begun["UploadId"]
        self._await_writing()
        number = len(self._parts) + 1
        if number > _MAX_PARTS:
            raise ValueError(f"{self._name} is larger than S3 takes in parts of {_PART_BYTES}")
        self._writing = self._thread.submit(self._upload, number, self._buffer)
        self._buffer = bytearray()

    def _upload(self, number: int, part: bytearray) -> dict[str, Any]:
        with self._bucket.using() as client:
            answer = client.upload_part(
                **self._object,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=part,
                ContentMD5=_base64(_md5(part)),
            )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _await_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            self._parts.append(writing.result())

    def _complete(self) -> None:
        self._may_be_stored = True
        with self._bucket.using() as client:
            with _unless(_NO_UPLOAD) as gone:
                client.complete_multipart_upload(
                    **self._object,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": self._parts},
                )
            # Either the call was made twice, as the answer to the first was lost, or a writer that
            # rests for longer than the sweep waits has lost its parts to it.
            if gone and not self._is_own(client):
                raise StoreUnavailable(f"the parts of {self._name} are gone")

    def _is_own(self, client: Any) -> bool:
        """Whether the file of that name is what this one wrote."""
        with _unless(_ABSENT):
            found = client.head_object(**self._object)
            return bool(found["Metadata"].get("writer") == self._token)
        return False


class _StoredFile(BlockFile):
    """The file `name`, from its start.

    Made and read, it raises StoreUnavailable, also when the file is removed or replaced meanwhile:
    opened again, it is as it stands then. What was written in one call has its hash beside it, and
    is damaged where it has another, twice. Made, it raises FileNotStored.
    """

    def __init__(self, bucket: S3Bucket, name: str) -> None:
        super().__init__()
        self._bucket = bucket
        self._name = name
        self._etag: str | None = None
        self._md5: str | None = None
        self._fetch()
        if self._is_other():
            # The network may have changed it, too.
            self._fetch()
            if self._is_other():
                raise FileDamaged(f"{name} has another hash than what was written")

    def _is_other(self) -> bool:
        if self._md5 is None or self._length > _PART_BYTES:
            return False
        return _md5(self._block).hex() != self._md5

    def _fetch(self) -> None:
        """Have the block; the first says what file it is, and all others are of it."""
        start = self._position // _PART_BYTES * _PART_BYTES
        pinned = {} if self._etag is None else {"IfMatch": self._etag}
        span = f"bytes={start}-{start + _PART_BYTES - 1}"
        named = self._bucket.of(self._name)
        with self._bucket.using() as client:
            with _unless(_ABSENT | _CHANGED | _OUTSIDE) as met:
                answer = client.get_object(**named, Range=span, **pinned)
                self._take(answer, start)
            if _OUTSIDE & {*met} and not pinned:
                # An empty file has not even a first byte to ask for.
                with _unless(_ABSENT) as met:
                    self._take_empty(client.head_object(**named))
        if met and pinned:
            raise StoreUnavailable(f"{self._name} was removed or replaced meanwhile")
        if met:
            raise FileNotStored(self._name)

    def _take(self, answer: dict[str, Any], start: int) -> None:
        first, length = _span_of(answer)
        size = min(_PART_BYTES, length - start)
        block = self._read_body(answer["Body"], size)
        if first != start or (self._etag is not None and length != self._length):
            raise StoreUnavailable(f"{self._bucket.location} sent other bytes than were asked for")
        self._block, self._block_start = block, start
        self._etag, self._length = answer["ETag"], length
        self._md5 = answer["Metadata"].get("md5")

    def _take_empty(self, answer: dict[str, Any]) -> None:
        if answer["ContentLength"]:
            raise StoreUnavailable(f"{self._name} is empty no longer")
        self._etag = answer["ETag"]

    def _read_body(self, body: Any, size: int) -> bytes:
        """The first `size` bytes of an answer; raises StoreUnavailable when they take too long."""
        deadline = time.monotonic() + _BLOCK_PATIENCE * self._bucket.location.answer_seconds
        block = bytearray()
        try:
            while len(block) < size:
                piece = body.read(min(_PIECE_BYTES, size - len(block)))
                if not piece or time.monotonic() > deadline:
                    raise StoreUnavailable(f"{self._bucket.location} sends {self._name} too slowly")
                block += piece
        finally:
            body.close()
        return bytes(block)


def _span_of(answer: dict[str, Any]) -> tuple[int, int]:
    """At which byte the answer begins, and how many the whole file has."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.get("ContentRange") or "")
    # Without it the answer is the whole file.
    return (int(found[1]), int(found[2])) if found else (0, int(answer["ContentLength"]))


def _abort(client: Any, named: dict[str, str], upload_id: str) -> None:
    """Remove the parts of an upload, unless it has become the file meanwhile."""
    with _unless(_NO_UPLOAD):
        client.abort_multipart_upload(**named, UploadId=upload_id)


def _md5(data: bytes | bytearray) -> bytes:
    # Not every server looks at the newer checksums, nor at the hash that is signed.
    return hashlib.md5(data, usedforsecurity=False).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


@contextmanager
def _unless(codes: frozenset[str]) -> Iterator[list[str]]:
    """Go on behind the block if S3 answers with one of `codes`; it is then in the list."""
    met: list[str] = []
    try:
        yield met
    except ClientError as error:
        if code_of(error) not in codes:
            raise
        met.append(code_of(error))
