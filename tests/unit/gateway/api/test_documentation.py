"""The OpenAPI document and the page made of it."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from gateway.api.docs import prose
from gateway.api.rows import row_model
from muster.contracts.problems import PROBLEM_TYPES
from muster.contracts.tables import read_declarations, tables
from muster.contracts.upload_document import UploadDocument, represent
from muster.http.json_text import json_text
from muster.http.problems import Problem
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


def test_the_document_is_written_as_all_json(client: FlaskClient) -> None:
    found = client.get("/openapi.json")
    assert found.text == json_text(found.get_json())


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
    # By HEAD each that can be got is answered; one is meant to be asked so.
    assert said == served | {("/v1/uploads/{id}/content", "head")}


def test_every_operation_says_its_answers_and_its_errors(document: dict[str, Any]) -> None:
    for operation in operations(document):
        answers = operation["responses"]
        assert any(status < "300" for status in answers), operation["operationId"]
        assert "503" in answers
        assert ("401" in answers) is bool(operation["security"])
        for status, answer in answers.items():
            if status >= "400" and not operation["operationId"].startswith("head_"):
                assert set(answer["content"]) == {"application/problem+json"}
                assert answer["content"]["application/problem+json"]["example"]["status"]


def test_a_body_takes_no_field_that_it_does_not_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("OwnChange", "NewUser", "UserChange", "NewAccessKey", "NewWebhook", "LinkUse"):
        assert schemas[name]["additionalProperties"] is False


def test_what_an_answer_has_the_id_of_is_linked(document: dict[str, Any]) -> None:
    taking = {
        each["operationId"]
        for each in operations(document)
        if "id" in {parameter["name"] for parameter in each.get("parameters", [])}
    }
    answers = document["paths"]["/v1/uploads"]["post"]["responses"]
    assert set(answers["202"]["links"]) == set(answers["200"]["links"]) > {"get_rejects"}
    for operation in operations(document):
        for answer in operation["responses"].values():
            assert set(answer.get("links", {})) <= taking


def test_every_operation_can_be_found_and_understood(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(tags.values())
    found = [*operations(document), *(item["post"] for item in document["webhooks"].values())]
    for operation in found:
        assert operation["summary"], operation["operationId"]
        assert not operation["summary"].endswith(".")
        assert operation["description"]
        assert set(operation["tags"]) <= set(tags)
        assert all(parameter["description"] for parameter in operation.get("parameters", []))
    ids = [operation["operationId"] for operation in found]
    assert len(ids) == len(set(ids))


def test_people_read_what_an_operation_needs(document: dict[str, Any]) -> None:
    needed = {each["operationId"]: each["description"] for each in operations(document)}
    assert needed["accept_upload"].endswith("\n\nNeeds the permission `uploads:write`.")
    assert "`uploads:read` or `uploads:admin`" in needed["list_uploads"]
    assert needed["add_key"].endswith("Needs a token; no permission. An access key won't do.")
    assert needed["log_in"].endswith("Needs your email address and password, by HTTP Basic.")
    assert needed["list_receipt_keys"].endswith("Needs no token.")


def test_every_answer_has_the_id_of_its_request_and_every_header_is_declared(
    document: dict[str, Any],
) -> None:
    declared, used = document["components"]["headers"], set()
    for operation in operations(document):
        for answer in operation["responses"].values():
            assert "X-Request-Id" in answer["headers"]
            for name, header in answer["headers"].items():
                assert header == {"$ref": f"#/components/headers/{name}"}
                used.add(name)
    assert used == set(declared)


def test_the_rows_of_each_table_are_typed_as_it_is_declared(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    body = document["paths"]["/v1/tables/{table}/rows"]["post"]["requestBody"]
    content = body["content"]["application/json"]
    rows = content["schema"]["anyOf"][0]["items"]["anyOf"]
    assert [row["$ref"].rpartition("/")[2] for row in rows] == [
        "NewDepartmentsRow",
        "NewJobsRow",
        "NewHiredEmployeesRow",
    ]
    for (name, table), row in zip(tables().items(), rows, strict=True):
        written = schemas[row["$ref"].rpartition("/")[2]]
        read = schemas[row["$ref"].rpartition("/")[2].removeprefix("New")]
        assert tuple(written["properties"]) == tuple(read["properties"]) == table.column_names
        assert set(written["required"]) == set(read["required"]) == set(table.column_names)
        assert written["additionalProperties"] is False
        for example in content["examples"][name]["value"]:
            Draft202012Validator(written).validate(example)
            Draft202012Validator(read).validate(example)
    read = schemas["HiredEmployeesRow"]["properties"]
    assert (read["id"]["type"], read["id"]["minimum"]) == ("integer", 1)
    assert read["datetime"]["format"] == "date-time"
    assert (read["name"]["maxLength"], read["job_id"]["maximum"]) == (255, 2**31 - 1)


def test_what_a_column_declares_stands_in_the_schema_of_its_rows() -> None:
    field = {"name": "copy", "type": "string"}
    constraints = {"required": True, "minLength": 2, "maxLength": 3, "pattern": "[A-Z]+"}
    key = {
        "name": "id",
        "type": "integer",
        "constraints": {"required": True, "minimum": 1, "maximum": 9, "enum": [3, 4]},
    }
    declaration = {
        "name": "sites",
        "title": "Sites",
        "fields": [key, {**field, "description": "Its code.", "constraints": constraints}],
        "primaryKey": ["id"],
    }
    table = read_declarations({"sites.json": declaration})["sites"]
    assert row_model(table).__name__ == "SitesRow"
    columns = row_model(table).model_json_schema()["properties"]
    assert columns["id"]["enum"] == [3, 4]
    copy = columns["copy"]
    assert (copy["minLength"], copy["maxLength"], copy["pattern"]) == (2, 3, "^(?:[A-Z]+)$")
    assert copy["description"] == "Its code."


def test_keys_of_rows_are_typed_as_they_are_declared(document: dict[str, Any]) -> None:
    rows = document["paths"]["/v1/tables/{table}/rows"]["get"]["parameters"]
    row = document["paths"]["/v1/tables/{table}/rows/{key}"]["get"]["parameters"]
    found = {each["name"]: each["schema"] for each in (*rows, *row)}
    assert found["key"]["minimum"] == 1
    assert found["key"]["maximum"] == 2**31 - 1
    for name in ("key", "id", "department_id", "job_id"):
        assert found[name]["type"] == "integer", name


def test_a_user_may_be_made_without_permissions(document: dict[str, Any]) -> None:
    for name in ("NewUser", "NewInvitation"):
        schema = document["components"]["schemas"][name]
        assert "permissions" in schema["properties"]
        assert "permissions" not in schema["required"]


def test_what_is_sent_to_webhooks_is_documented_with_what_signs_it(
    document: dict[str, Any],
) -> None:
    assert set(document["webhooks"]) == {"upload.finished", "webhook.test"}
    call = document["webhooks"]["upload.finished"]["post"]
    assert [(each["name"], each["in"], each["required"]) for each in call["parameters"]] == [
        ("webhook-id", "header", True),
        ("webhook-timestamp", "header", True),
        ("webhook-signature", "header", True),
    ]
    schema = document["components"]["schemas"]["UploadFinished"]["properties"]
    assert schema["type"]["const"] == "upload.finished"
    assert schema["data"]["$ref"] == "#/components/schemas/UploadDocument"


def test_no_parameter_is_null_and_one_enumeration_has_the_tables(document: dict[str, Any]) -> None:
    found = [each for one in operations(document) for each in one.get("parameters", [])]
    assert "null" not in str([parameter["schema"] for parameter in found])
    named = {"$ref": "#/components/schemas/TableName"}
    assert all(each["schema"] == named for each in found if each["name"] == "table")
    assert document["components"]["schemas"]["TableName"]["enum"] == list(tables())


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


def test_the_page_shows_examples_in_the_order_of_the_columns(client: FlaskClient) -> None:
    page = client.get("/docs").get_data(as_text=True)
    first = page.partition('<section id="write_rows">')[2].partition("<pre>")[2]
    assert first.index("id") < first.index("department")


@pytest.mark.parametrize("path", ["/docs", "/docs/errors"])
def test_a_page_asks_no_other_host_for_anything(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    page = answer.get_data(as_text=True)
    assert re.findall(r'<link rel="stylesheet" href="(.*?)">', page) == ["/static/docs.css"]
    assert not re.search(r"<script|<img|<iframe|style=|@import|url\(", page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    with client.get("/static/docs.css") as style:
        assert style.status_code == 200
        assert not re.search(r"@import|url\(|//", style.get_data(as_text=True))


def test_the_type_of_every_problem_opens_where_it_is_explained(client: FlaskClient) -> None:
    for kind, problem in PROBLEM_TYPES.items():
        answer = Problem(kind, "What is wrong.").to_response()
        document = answer.get_json()
        page, _, anchor = document["type"].partition("#")
        found = client.get(page)
        assert found.status_code == 200
        assert found.text.count(f'<section id="{anchor}">') == 1
        assert (document["title"], document["status"]) == (problem.title, answer.status_code)
        assert found.text.count(f"<p><code>{kind}</code>: ") == 1


def test_code_in_the_documents_texts_is_shown_as_code_and_nothing_else_as_markup() -> None:
    assert prose("Send `POST /v1/login` & <b>") == (
        "Send <code>POST /v1/login</code> &amp; &lt;b&gt;"
    )


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/errors"])
def test_what_everybody_may_ask_is_made_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    first = client.get(path)
    monkeypatch.setattr("gateway.api.docs.document_of", lambda _app: pytest.fail("made again"))
    monkeypatch.setattr("gateway.api.docs.render_template", lambda *_a, **_k: pytest.fail("again"))
    again = client.get(path)
    assert (again.status_code, again.data) == (200, first.data)
    assert again.content_type == first.content_type
