#!/opt/mongo/bin/python
"""Stands in for `mongosh --file /deploy/health.js`: well is who takes writes."""

import os
import sys
from typing import Any

from pymongo import MongoClient

with MongoClient[dict[str, Any]](
    "127.0.0.1",
    username=os.environ["MONGO_INITDB_ROOT_USERNAME"],
    password=os.environ["MONGO_INITDB_ROOT_PASSWORD"],
    directConnection=True,
    timeoutMS=5000,
) as client:
    client.admin.command("ping")
    sys.exit(0 if client.admin.command("hello")["isWritablePrimary"] else 1)
