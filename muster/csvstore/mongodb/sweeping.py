"""Finding what nobody needs in GridFS: files without a record, older versions, writers' remains."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from muster.csvstore.mongodb.connection import Document
from muster.csvstore.mongodb.files import NEWEST_FIRST, remove_version

T = TypeVar("T")
_BATCH = 1000


def sweep_files(
    database: Database[Document],
    limit: datetime,
    unnamed: Callable[[set[str]], set[str]],
) -> int:
    """Remove files finished before `limit` that no record names, and versions that were replaced.

    Returns how many.
    """
    found = database["csv.files"].find({"uploadDate": {"$lte": limit}}, {"filename": 1})
    newest_first = found.sort([("filename", ASCENDING), *NEWEST_FIRST])
    removed, previous = 0, None
    for batch in _batches(newest_first):
        orphans = unnamed({file["filename"] for file in batch})
        for file in batch:
            name = file["filename"]
            if name == previous or name in orphans:
                remove_version(database, file["_id"])
                removed += 1
            previous = name
    return removed


def sweep_parts(database: Database[Document], limit: datetime) -> int:
    """Remove chunks without a files document, if the last of them was written before `limit`.

    Returns of how many files they were.
    """
    # Sorted and grouped by the index's first field, the server steps from file to file in it.
    by_file: list[Document] = [{"$sort": {"files_id": 1}}, {"$group": {"_id": "$files_id"}}]
    removed = 0
    for batch in _batches(database["csv.chunks"].aggregate(by_file)):
        file_ids = {group["_id"] for group in batch}
        whole = database["csv.files"].find({"_id": {"$in": list(file_ids)}}, {"_id": 1})
        for file_id in file_ids - {file["_id"] for file in whole}:
            if _was_written_before(database, file_id, limit):
                remove_version(database, file_id)
                removed += 1
    return removed


def _was_written_before(database: Database[Document], file_id: ObjectId, limit: datetime) -> bool:
    """Whether the file has chunks and the last was made before `limit`, as its ObjectId says."""
    last = database["csv.chunks"].find_one(
        {"files_id": file_id}, {"_id": 1}, sort=[("n", DESCENDING)]
    )
    if last is None:
        return False
    written: datetime = last["_id"].generation_time
    return written <= limit


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
