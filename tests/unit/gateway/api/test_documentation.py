"""The OpenAPI document and the page made of it."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.api.docs import prose
from muster.contracts.upload_document import UploadDocument, represent
from muster.stores import Stores
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ANA, CSV


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document["paths"].values() for operation in item.values()]


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")


def test_every_route_of_the_api_is_in_the_document(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    served = {
        (re.sub(r"<(.*?)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith(("/v1/", "/.well-known/"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    said = {(path, verb) for path, item in document["paths"].items() for verb in item}
    assert said == served


def test_every_operation_says_its_answers_and_its_errors(document: dict[str, Any]) -> None:
    for operation in operations(document):
        answers = operation["responses"]
        assert any(status < "300" for status in answers), operation["operationId"]
        assert "503" in answers
        assert ("401" in answers) is bool(operation["security"])
        for status, answer in answers.items():
            if status >= "400":
                assert set(answer["content"]) == {"application/problem+json"}
                assert answer["content"]["application/problem+json"]["example"]["status"]
        assert operation["summary"]


def test_a_body_that_is_needed_is_said_to_be(document: dict[str, Any]) -> None:
    bodies = [
        operation["requestBody"]
        for item in document["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    ]
    assert bodies
    assert all(body["required"] for body in bodies)


def test_a_field_to_change_may_be_left_out_but_not_be_null(document: dict[str, Any]) -> None:
    change = document["components"]["schemas"]["UserChange"]
    assert "required" not in change
    assert {field["type"] for field in change["properties"].values()} == {
        "array",
        "string",
        "boolean",
    }


def test_both_forms_of_a_batch_are_documented(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/tables/{table}/rows"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    array, within_object = schema["anyOf"]
    assert (array["type"], array["minItems"], array["maxItems"]) == ("array", 1, 1000)
    assert within_object["properties"]["rows"] == array


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(document["components"]["schemas"])


def test_the_upload_that_is_answered_is_the_one_that_is_documented(
    client: FlaskClient, stores: Stores, document: dict[str, Any]
) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=b"", headers={**ANA, **CSV})
    schema = document["components"]["schemas"]["UploadDocument"]
    assert set(answer.get_json()) == set(schema["properties"]) == set(schema["examples"][0])
    upload = stores.uploads.get(answer.get_json()["id"])
    assert UploadDocument.model_validate(represent(upload, may_name=bool)).id == upload.id


def test_the_rows_of_an_upload_are_documented_apart_from_those_of_an_undo(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    choices = schemas["UploadDocument"]["properties"]["rows"]["oneOf"]
    documented = [schemas[choice["$ref"].rpartition("/")[2]] for choice in choices]
    # Each has all of its fields and no other, so that one alone fits.
    assert [schema["additionalProperties"] for schema in documented] == [False, False]
    uploads = (an_upload(), an_upload(kind="undo", undoes="u-0"))
    for upload, schema in zip(uploads, documented, strict=True):
        rows = represent(upload, may_name=bool)["rows"]
        assert set(rows) == set(schema["properties"]) == set(schema["required"])


def test_the_page_shows_every_operation(client: FlaskClient, document: dict[str, Any]) -> None:
    page = client.get("/docs").get_data(as_text=True)
    for operation in operations(document):
        assert f'<section id="{operation["operationId"]}">' in page
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page


def test_the_page_asks_no_other_host_for_anything(client: FlaskClient) -> None:
    answer = client.get("/docs")
    page = answer.get_data(as_text=True)
    assert re.findall(r'<link rel="stylesheet" href="(.*?)">', page) == ["/static/docs.css"]
    assert not re.search(r"<script|<img|<iframe|style=|@import|url\(", page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    with client.get("/static/docs.css") as style:
        assert style.status_code == 200
        assert not re.search(r"@import|url\(|//", style.get_data(as_text=True))


def test_code_in_the_documents_texts_is_shown_as_code_and_nothing_else_as_markup() -> None:
    assert prose("Send `POST /v1/login` & <b>") == (
        "Send <code>POST /v1/login</code> &amp; &lt;b&gt;"
    )


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_what_everybody_may_ask_is_made_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    first = client.get(path)
    monkeypatch.setattr("gateway.api.docs._document", lambda _app: pytest.fail("made again"))
    again = client.get(path)
    assert (again.status_code, again.data) == (200, first.data)
    assert again.content_type == first.content_type
