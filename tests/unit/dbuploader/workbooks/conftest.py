import io
from collections.abc import Callable
from typing import Any

import pytest

from dbuploader.scratch import Scratch
from dbuploader.workbooks.content import open_content
from dbuploader.workbooks.process import Workspace
from muster.contracts.uploads import Options, Upload, now

MOST_BYTES = 16 * 1024**2
ReadLines = Callable[..., list[str]]


def an_upload(table: str = "hired_employees", **options: Any) -> Upload:
    return Upload(
        id="1",
        table=table,
        filename="f.xlsx",
        size=1000,
        sha256="",
        owner="1",
        submitted_by="ana@example.com",
        submitted_at=now(),
        request_id="",
        traceparent="",
        options=Options(**options),
        is_workbook=True,
    )


@pytest.fixture(scope="session")
def read_lines(scratch: Scratch) -> ReadLines:
    """Reads the lines of a workbook's sheet."""

    def read(content: bytes, table: str = "hired_employees", **options: Any) -> list[str]:
        workspace = Workspace(scratch.new_file, MOST_BYTES, lambda: None)
        upload = an_upload(table, **options)
        with open_content(io.BytesIO(content), upload, workspace) as opened:
            text = bytearray()
            while piece := opened.stream.read(1000):
                text += piece
        return text.decode().split("\n")[:-1]

    return read
