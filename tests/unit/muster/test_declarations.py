"""What a declaration says is obeyed, or refused at start with its place and what is taken there."""

from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest

from muster.contracts.tables import (
    DatetimeColumn,
    DeclarationRefused,
    IntegerColumn,
    InvalidKey,
    StringColumn,
    get_table,
    tables,
)
from muster.contracts.tables.declaration import read_declarations

INTEGER = {"required": True, "minimum": 1, "maximum": 2147483647}
LOCATIONS: dict[str, Any] = {
    "name": "locations",
    "title": "Locations",
    "fields": [
        {"name": "id", "type": "integer", "constraints": INTEGER},
        {
            "name": "code",
            "type": "string",
            "aliases": ["location code"],
            "constraints": {
                "required": True,
                "minLength": 2,
                "maxLength": 3,
                "pattern": "[A-Z]+",
                "enum": ["BER", "LIM"],
            },
        },
        {
            "name": "opened",
            "type": "datetime",
            "constraints": {
                "required": True,
                "minimum": "2000-01-01T01:00:00+01:00",
                "maximum": "2099-12-31T23:59:59Z",
            },
        },
        {"name": "area_id", "type": "integer", "constraints": {**INTEGER, "enum": [1, 2]}},
    ],
    "primaryKey": ["id"],
    "foreignKeys": [{"fields": ["area_id"], "reference": {"resource": "areas", "fields": ["id"]}}],
}
AREAS: dict[str, Any] = {
    "name": "areas",
    "title": "Areas",
    "fields": [{"name": "id", "type": "integer", "constraints": INTEGER}],
    "primaryKey": ["id"],
}


def read(*schemas: dict[str, Any]) -> Any:
    return read_declarations({f"{schema['name']}.json": schema for schema in schemas})


def changed(path: list[Any], value: object) -> dict[str, Any]:
    schema = deepcopy(LOCATIONS)
    place = schema
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return schema


def test_all_that_a_declaration_says_is_in_its_columns() -> None:
    table = read(LOCATIONS, AREAS)["locations"]
    assert table.columns == (
        IntegerColumn("id", (), 1, 2147483647, (), None),
        StringColumn("code", ("location code",), 2, 3, "[A-Z]+", ("BER", "LIM")),
        DatetimeColumn("opened", (), datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59)),
        IntegerColumn("area_id", (), 1, 2147483647, (1, 2), "areas"),
    )


def test_parents_come_first_however_long_the_chain_is() -> None:
    chain = [
        {
            **AREAS,
            "name": name,
            "fields": [
                {"name": "id", "type": "integer", "constraints": INTEGER},
                {"name": "parent_id", "type": "integer", "constraints": INTEGER},
            ],
            "foreignKeys": [
                {"fields": ["parent_id"], "reference": {"resource": parent, "fields": ["id"]}}
            ],
        }
        for name, parent in (("a", "b"), ("b", "c"), ("c", "areas"))
    ]
    assert list(read(*chain, AREAS)) == ["areas", "c", "b", "a"]


def test_the_declared_tables_are_read_with_their_parents_first() -> None:
    assert list(tables()) == ["departments", "jobs", "hired_employees"]


CODE, OPENED = ["fields", 1, "constraints"], ["fields", 2, "constraints"]
REFUSED: list[tuple[list[Any], object, str]] = [
    (["fields", 1, "type"], "number", r"fields\[1\].*'integer', 'string', 'datetime'"),
    (["fields", 1, "format"], "email", r"fields\[1\]\.string\.format: Extra inputs"),
    ([*CODE, "required"], False, r"fields\[1\]\.string\.constraints\.required: Input should be T"),
    ([*CODE, "required"], None, r"constraints\.required: Field required"),
    ([*CODE, "unique"], True, r"constraints\.unique: Input should be False"),
    ([*CODE, "maxLength"], None, r"constraints\.maxLength: Field required"),
    ([*CODE, "maxLength"], 20_000, r"constraints\.maxLength: .*less than or equal to 16383"),
    ([*CODE, "minLength"], 4, "the minimum, 4, is greater than the maximum, 3"),
    ([*CODE, "pattern"], "[A-Z", "no regular expression"),
    ([*CODE, "enum"], [], r"constraints\.enum: .*at least 1 item"),
    ([*CODE, "jsonSchema"], {}, r"constraints\.jsonSchema: Extra inputs"),
    ([*OPENED, "minimum"], "2100-01-01T00:00:00Z", "is greater than the maximum"),
    ([*OPENED, "minimum"], "2000-01-01", "has no offset"),
    (["fields", 0, "constraints", "maximum"], 2**31, "primaryKey: id must be from 0 to 2147483647"),
    (["fields", 3, "constraints", "maximum"], 2**63, "integers of 64 bits"),
    (["fields", 3, "name"], "id", "two columns named id"),
    (["primaryKey"], ["code"], "primaryKey: code must be one of the integer columns"),
    (["primaryKey"], ["id", "code"], "primaryKey: .*at most 1 item"),
    (["foreignKeys", 0, "fields"], ["code"], "foreignKeys: code must be an integer column"),
    (["foreignKeys", 0, "reference", "resource"], "towns", "towns, which is not declared"),
    (["foreignKeys", 0, "reference", "fields"], ["no"], r"refers to areas\.no, .*key, id"),
    (["missingValues"], ["-"], "missingValues: Extra inputs"),
    (["name"], "Locations", r"Locations\.json: name: String should match pattern"),
]


@pytest.mark.parametrize(("path", "value", "reason"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_is_not_obeyed_is_refused(path: list[Any], value: object, reason: str) -> None:
    with pytest.raises(DeclarationRefused, match=reason):
        read(changed(path, value), AREAS)


def test_tables_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    areas = {
        **AREAS,
        "fields": [*LOCATIONS["fields"][:1], {**LOCATIONS["fields"][3], "name": "home_id"}],
        "foreignKeys": [
            {"fields": ["home_id"], "reference": {"resource": "locations", "fields": ["id"]}}
        ],
    }
    with pytest.raises(DeclarationRefused, match="in a circle: areas -> locations -> areas"):
        read(LOCATIONS, areas)


def test_a_column_that_refers_to_another_table_is_headed_by_what_it_refers_to() -> None:
    table = get_table("hired_employees")
    headings = [table.heading(name) for name in table.column_names]
    assert headings == ["Id", "Name", "Datetime", "Department", "Job"]


def test_a_file_is_called_like_its_table() -> None:
    with pytest.raises(DeclarationRefused, match=r"call it areas\.json"):
        read_declarations({"regions.json": AREAS})


@pytest.mark.parametrize(("text", "key"), [("1", 1), ("42", 42), ("2147483647", 2147483647)])
def test_a_key_is_read_as_a_path_has_it(text: str, key: int) -> None:
    assert get_table("jobs").read_key(text) == key


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", "01", "1.0", "1_0", " 1", "1\n", "٣", "x", "2147483648", "9" * 999],
)
def test_what_no_row_can_have_is_no_key(text: str) -> None:
    with pytest.raises(InvalidKey, match="jobs are whole numbers from 1 to 2,147,483,647"):
        get_table("jobs").read_key(text)
