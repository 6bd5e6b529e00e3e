"""Upload records as another version, an operator or a bad disk leaves them in the store."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.collection import Collection

Document = dict[str, Any]


def raw_record(store_url: str, upload_id: str) -> Document:
    """What the store holds of the upload."""
    if _is_file(store_url):
        return _change_in_file(store_url, upload_id, lambda document: document)
    with _uploads(store_url) as uploads:
        document = uploads.find_one({"_id": upload_id})
        assert document is not None
        return document


def set_raw(store_url: str, upload_id: str, **fields: Any) -> None:
    """Write these fields into the record, past the store's own code."""
    if _is_file(store_url):
        _change_in_file(store_url, upload_id, lambda document: document | fields)
        return
    with _uploads(store_url) as uploads:
        assert uploads.update_one({"_id": upload_id}, {"$set": fields}).matched_count


def _is_file(store_url: str) -> bool:
    return urlsplit(store_url).scheme == "file"


def _change_in_file(
    store_url: str, upload_id: str, change: Callable[[Document], Document]
) -> Document:
    with closing(sqlite3.connect(Path(urlsplit(store_url).path) / "records.db")) as connection:
        query = "SELECT document FROM uploads WHERE id = ?"
        [(text,)] = connection.execute(query, [upload_id]).fetchall()
        document = change(json.loads(text))
        statement = "UPDATE uploads SET document = ? WHERE id = ?"
        connection.execute(statement, [json.dumps(document), upload_id])
        connection.commit()
        return document


@contextmanager
def _uploads(store_url: str) -> Iterator[Collection[Document]]:
    with MongoClient[Document](store_url) as client:
        yield client.get_default_database()["uploads"]
