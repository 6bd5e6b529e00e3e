"""Files in GridFS: their versions, of which the last is the file.

Written and read by the GridFS specification, which other tools know, and not by the driver's own
classes: they hold 32 MB of a file before they write and take 16 MB of it at once, and offer no way
to have less. https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md
"""

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from muster.csvstore import FileNotStored
from muster.csvstore.mongodb.connection import Document

NEWEST_FIRST = [("metadata.version", DESCENDING), ("_id", DESCENDING)]
"""The order of a file's versions. Two that were finished at once may have the same number."""


def find_file(database: Database[Document], name: str) -> Document:
    """The files document of the newest version. Raises FileNotStored."""
    found = database["csv.files"].find_one({"filename": name}, sort=NEWEST_FIRST)
    if found is None:
        raise FileNotStored(name)
    return found


def delete_file(database: Database[Document], name: str) -> None:
    """Remove all versions of a file, the newest last, so that none before it comes to light."""
    versions = database["csv.files"].find({"filename": name}, {"_id": 1})
    for version in versions.sort([("metadata.version", ASCENDING), ("_id", ASCENDING)]):
        remove_version(database, version["_id"])


def find_versions(database: Database[Document], name: str) -> list[Document]:
    """What identifies each version of the file, if there is any: its `_id` and its metadata."""
    return list(database["csv.files"].find({"filename": name}, {"metadata": 1}))


def remove_version(database: Database[Document], file_id: ObjectId) -> None:
    """Remove one version; once its files document is gone nothing is seen of it."""
    database["csv.files"].delete_one({"_id": file_id})
    database["csv.chunks"].delete_many({"files_id": file_id})
