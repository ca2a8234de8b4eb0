from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import positive_data_acceptance

from features.column import Direction
from features.sets import load
from serving.app import Server
from serving.contract import Contract
from serving.doors import DOORS, PUBLIC
from serving.examples import EXAMPLES, askable
from serving.openapi import openapi_document
from serving.problem import PROBLEMS
from tests.serving.http import HOST, ask
from tests.serving.known_key import BEARER, KEY

ROOT = Path(__file__).parents[2]
EARLY = load("early_stage")
CONTRACT = Contract.of(EARLY)
DOCUMENT = openapi_document(EARLY, CONTRACT, askable(CONTRACT))
PROJECT = DOCUMENT["components"]["schemas"]["Request"]["properties"]["project"]


@pytest.mark.parametrize("name", ["early_stage", "sba"])
def test_the_document_is_valid_openapi_for_every_embedded_column_set(name: str) -> None:
    columns = load(name)
    OpenAPIV31SpecValidator(openapi_document(columns, Contract.of(columns), {})).validate()


def test_an_invalid_document_would_be_noticed() -> None:
    broken = {name: part for name, part in DOCUMENT.items() if name != "info"}
    assert [*OpenAPIV31SpecValidator(broken).iter_errors()]


def test_every_door_is_documented_and_no_other() -> None:
    documented = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert documented == {(door.method, door.path) for door in DOORS}


def test_every_problem_is_some_addresss_answer() -> None:
    told = orjson.dumps(DOCUMENT["paths"]).decode()
    elsewhere = {"method_not_allowed"}  # of methods that are not there
    assert {p.code for p in PROBLEMS if f"{p.code}: " not in told} == elsewhere


@pytest.mark.parametrize("column", EARLY.asked, ids=lambda column: column.name)
def test_every_column_says_its_unit_range_direction_meaning_and_source(column: Any) -> None:
    said = PROJECT["properties"][column.name]
    assert column.meaning in said["description"]
    assert (said["x-unit"], said["x-direction"]) == (column.unit, column.direction.value)
    assert said["x-source"] == EARLY.sources[column.source][0]
    assert (said.get("minimum"), said.get("maximum")) == (column.low, column.high)
    assert (column.name in PROJECT["required"]) == (not column.optional)
    assert column.direction is Direction.FREE or said["x-direction-reason"] == column.reason


def test_the_examples_are_those_of_the_folder() -> None:
    content = DOCUMENT["paths"]["/v1/quotes"]["post"]["requestBody"]["content"]
    shown = {name: one["value"] for name, one in content["application/json"]["examples"].items()}
    assert {"good", "poor", "missing_sources"} <= set(shown)
    for name, request in shown.items():
        assert request == orjson.loads((EXAMPLES / f"{name}.json").read_bytes())
        CONTRACT.read(request)


def test_the_page_of_the_interface_is_complete_and_true() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    doors = re.findall(r"^\| `([A-Z]+) (/\S*)` \| (?:`([\w:]+)`|none) \|", page, re.MULTILINE)
    codes = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", page, re.MULTILINE)
    assert doors == [
        (door.method, door.path, "" if door.scope == PUBLIC else door.scope) for door in DOORS
    ]
    assert codes == [(problem.code, str(problem.status)) for problem in PROBLEMS]


def test_the_document_of_a_server_is_that_of_its_model(server: Server) -> None:
    assert ask(server.gate(), "GET", "/openapi.json", headers=[HOST, BEARER]).document == DOCUMENT


# A term that no schema can forbid may still be refused: grace beyond the term, for example.
BEYOND = [positive_data_acceptance]
SENT = {"Host": "localhost", "Authorization": f"Bearer {KEY}"}
OURS = {door.path for door in DOORS if door.ours}  # the other two are BentoML's


@pytest.mark.parametrize("path", sorted(OURS))
def test_the_server_keeps_to_its_document(server: Server, path: str) -> None:
    paths = {path: DOCUMENT["paths"][path]}
    document = {**DOCUMENT, "paths": paths, "servers": [{"url": "http://localhost"}]}
    schema = schemathesis.openapi.from_dict(document)
    schema.app = server.gate()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # an invalid one fails here

        @effort(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def keeps_to_it(case: Any) -> None:
            case.call_and_validate(headers=SENT, excluded_checks=BEYOND)

        keeps_to_it()
