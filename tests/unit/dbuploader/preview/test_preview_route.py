"""POST /v1/tables/{table}/preview, as the gateway asks it."""

import json

import pytest
from flask.testing import FlaskClient

from tests.unit.dbuploader.workbooks.making import workbook

PATH = "/v1/tables/jobs/preview"
WRITER = {"Authorization": "Bearer ana:uploads:write"}


def test_the_file_in_the_body_is_previewed(client: FlaskClient) -> None:
    query = {"options": json.dumps({"columns": "Nr:id"}), "cut": "true"}

    answer = client.post(PATH, query_string=query, data=b"Nr;job\n1;Cook\n2;Ba", headers=WRITER)

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["columns"] == [
        {"label": "Nr", "column": "id"},
        {"label": "job", "column": "job"},
    ]
    assert answer.json["rows"] == [
        {
            "line": 2,
            "text": None,
            "errors": [],
            "cells": [
                {"text": "1", "value": 1, "error": None},
                {"text": "Cook", "value": "Cook", "error": None},
            ],
        }
    ]
    assert (answer.json["sheets"], answer.json["read"]) == ([], 1)
    assert (answer.json["delimiter"], answer.json["problems"]) == (";", [])


def test_the_sheets_of_a_workbook_are_objects(client: FlaskClient) -> None:
    content = workbook({"Jobs": [["id", "job"], [1, "Cook"]], "Notes": []})

    answer = client.post(f"{PATH}?workbook=true", data=content, headers=WRITER)

    assert answer.json is not None
    assert answer.json["sheets"] == [
        {"name": "Jobs", "visible": True},
        {"name": "Notes", "visible": True},
    ]
    assert answer.json["rows"][0]["cells"][0]["value"] == 1


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/v1/tables/nobody/preview", {}, 404),
        (PATH, {"columns": "Nr:shoe"}, 422),
        (PATH, {"header": "perhaps"}, 422),
    ],
)
def test_what_can_not_be_previewed(
    client: FlaskClient, path: str, options: dict[str, str], status: int
) -> None:
    query = {"options": json.dumps(options)}
    answer = client.post(path, query_string=query, data=b"1,Cook\n", headers=WRITER)
    assert answer.status_code == status
    assert client.post(PATH, data=b"1,Cook\n").status_code == 403
