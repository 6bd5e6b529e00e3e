"""GET /v1/uploads/{id}/rejects."""

import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.contracts.rejects import CellError, Reject, RejectsHeader
from muster.contracts.uploads import UNFINISHED, RowCounts, State
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV

TYPE_ERROR = CellError("type-error", "id", "write digits only")
BLANK = CellError("constraint-error", "job", "job is blank")
QUOTE = CellError("quote-error", None, "the quote does not close")


def upload(client: FlaskClient) -> str:
    answer = client.post("/v1/uploads?filename=jobs.csv", data=b"x,\n", headers={**ANA, **CSV})
    upload_id: str = answer.get_json()["id"]
    return upload_id


def finish(
    stores: Stores, upload_id: str, rejects: list[Reject] | None, *, raw: bool = False
) -> None:
    if rejects is not None:
        header = RejectsHeader(("job", "id"), raw)
        lines = [header.to_json(), *(reject.to_json() for reject in rejects)]
        with stores.files.write(f"{upload_id}.rejects") as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
    rows = RowCounts(rejected=len(rejects or ()))
    state = State.COMPLETED_WITH_REJECTS
    stores.uploads.update(upload_id, expect=UNFINISHED, state=state, rows=rows)


def get(client: FlaskClient, upload_id: str, query: str = "", **headers: str) -> Any:
    return client.get(f"/v1/uploads/{upload_id}/rejects{query}", headers={**ANA, **headers})


def test_rejects_are_the_cells_in_the_order_of_the_input_and_the_reason(
    client: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(client)
    finish(stores, upload_id, [Reject(3, 2, (' "a", b', "x"), None, (TYPE_ERROR, BLANK))])
    answer = get(client, upload_id)
    assert answer.get_data(as_text=True) == (
        "job,id,_line,_row,_code,_column,_message\r\n"
        '" ""a"", b",x,3,2,type-error,id,write digits only (and 1 more)\r\n'
    )
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=jobs.rejects.csv"


def test_a_line_that_was_not_split_stands_in_raw_with_blank_cells(
    client: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(client)
    unsplit = Reject(1, 1, None, '1,"open', (QUOTE,))
    split = Reject(2, 2, ("a", "x"), None, (TYPE_ERROR,))
    finish(stores, upload_id, [unsplit, split], raw=True)
    rows = list(csv.reader(io.StringIO(get(client, upload_id).get_data(as_text=True))))
    assert rows[0][-1] == "_raw"
    assert rows[1] == ["", "", "1", "1", "quote-error", "", QUOTE.message, '1,"open']
    assert rows[2][-1] == ""


def test_ndjson_has_all_errors_of_each_row(client: FlaskClient, stores: Stores) -> None:
    upload_id = upload(client)
    reject = Reject(3, 2, ("a", "x"), None, (TYPE_ERROR, BLANK))
    finish(stores, upload_id, [reject])
    answer = get(client, upload_id, Accept="application/x-ndjson")
    assert answer.mimetype == "application/x-ndjson"
    (line,) = answer.get_data(as_text=True).splitlines()
    assert Reject.from_json(line) == reject
    assert set(json.loads(line)) == {"line", "row", "cells", "raw", "errors"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_takes_no_cell_for_a_formula(
    client: FlaskClient, stores: Stores, start: str
) -> None:
    upload_id = upload(client)
    cell = f"{start}cmd()"
    finish(stores, upload_id, [Reject(1, 1, (cell, "=1"), cell, (TYPE_ERROR,))], raw=True)
    safe = get(client, upload_id, "?spreadsheet=safe").get_data(as_text=True)
    plain = get(client, upload_id).get_data(as_text=True)
    (_, row) = csv.reader(io.StringIO(safe, newline=""))
    assert (row[0], row[1], row[-2], row[-1]) == (f"'{cell}", "'=1", f"'{cell}", "safe")
    (_, row) = csv.reader(io.StringIO(plain, newline=""))
    assert (row[0], row[-1]) == (cell, cell)


def test_many_rejects_come_through_in_order(client: FlaskClient, stores: Stores) -> None:
    upload_id = upload(client)
    finish(
        stores,
        upload_id,
        [Reject(line, line, ("a", "x"), None, (TYPE_ERROR,)) for line in range(1, 5001)],
    )
    rows = list(csv.reader(io.StringIO(get(client, upload_id).get_data(as_text=True))))
    assert [row[2] for row in rows[1:]] == [str(line) for line in range(1, 5001)]


def test_rejects_are_not_known_before_the_end(client: FlaskClient) -> None:
    answer = get(client, upload(client))
    assert answer.status_code == 409
    assert "queued" in answer.get_json()["detail"]


def test_without_rejects_there_is_only_the_header(client: FlaskClient, stores: Stores) -> None:
    upload_id = upload(client)
    finish(stores, upload_id, None)
    answer = get(client, upload_id)
    assert answer.get_data(as_text=True) == "id,job,_line,_row,_code,_column,_message\r\n"
    assert get(client, upload_id, Accept="application/x-ndjson").data == b""


def test_a_wrong_spreadsheet_option_is_named(client: FlaskClient) -> None:
    answer = get(client, upload(client), "?spreadsheet=unsafe")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "spreadsheet"
