"""This interface as OpenAPI 3.1, made of the doors, the problems and the model's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from features.column import Column, ColumnSet, Direction
from serving.access.caller import SCOPES
from serving.contract import MOST_QUOTES, Contract
from serving.doors import DOORS, JSON, KEY, PARTS, PUBLIC, SINGLE, Door
from serving.fields import Field, schema
from serving.instruments import Kind
from serving.problem import (
    ACCESS_UNAVAILABLE,
    BODY_TOO_LARGE,
    ERASED,
    FORBIDDEN,
    INTERNAL_ERROR,
    INVALID_INPUT,
    KEY_IN_USE,
    KEY_NOT_FOUND,
    KEY_REUSED,
    MALFORMED_JSON,
    MALFORMED_REQUEST,
    MEDIA_TYPE,
    MISSING_KEY,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    NOT_QUOTED,
    NOT_READY,
    NOT_RECORDED,
    OVERLOADED,
    PROBLEMS,
    QUOTE_NOT_FOUND,
    REQUEST_TIMEOUT,
    TIMED_OUT,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    WRONG_HOST,
    Problem,
)
from serving.quote_schema import DECIMAL, QUOTE, RECEIPT

Json = dict[str, Any]

ANY = (MALFORMED_REQUEST, NOT_ACCEPTABLE, WRONG_HOST, INTERNAL_ERROR, TIMED_OUT)
WITH_BODY = (
    MALFORMED_JSON,
    REQUEST_TIMEOUT,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_INPUT,
    NOT_READY,
)
CLOSED = (UNAUTHENTICATED, FORBIDDEN, TOO_MANY_REQUESTS, ACCESS_UNAVAILABLE)
PRICED = (NOT_QUOTED, OVERLOADED)
KEPT = (NOT_RECORDED,)
KEYED = (MISSING_KEY, KEY_IN_USE, KEY_REUSED, ERASED)
READ = (QUOTE_NOT_FOUND, NOT_RECORDED)

ALSO: dict[str, tuple[Problem, ...]] = {
    "/v1/quotes": PRICED + KEPT + KEYED,
    "/v1/quotes/batch": (MISSING_KEY, KEY_IN_USE, OVERLOADED, NOT_RECORDED),
    "/v1/quotes/{quote_id}": (*READ, ERASED),
    "/v1/quotes/{quote_id}/receipt": READ,
    "/v1/keys/{key}": (KEY_NOT_FOUND, KEY_IN_USE, ERASED, NOT_RECORDED),
    "/v1/checkpoint": (NOT_RECORDED,),
    "/v1/tile/{level}/{index}": (NOT_FOUND, NOT_RECORDED),
    "/v1/what-if": PRICED,
    "/v1/model": (NOT_READY,),
    "/v1/columns": (NOT_READY,),
    "/openapi.json": (NOT_READY,),
    "/readyz": (NOT_READY, NOT_RECORDED),
    "/quote": PRICED + KEPT,
}
CREDENTIAL: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "An API key, or a token (JWT) of the issuer that the server trusts. Each address names the "
        "scope that it must have: " + "; ".join(f"{one}: {says}" for one, says in SCOPES.items())
    ),
}
OBJECT: Json = {"type": "object"}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names the request, for ever: sent again, it gets the recorded reply again",
    "schema": {"type": "string", "pattern": f"^{KEY}$"},
}
REPLIES: dict[str, tuple[str, Json]] = {
    "/v1/quotes": ("The quote, recorded", {"$ref": "#/components/schemas/Quote"}),
    "/v1/quotes/batch": ("Each its own", {"$ref": "#/components/schemas/BatchResults"}),
    "/v1/quotes/{quote_id}": ("The recorded bytes", {"$ref": "#/components/schemas/Quote"}),
    "/v1/quotes/{quote_id}/receipt": ("The receipt", {"$ref": "#/components/schemas/Receipt"}),
    "/v1/keys/{key}": ("The recorded bytes", {"$ref": "#/components/schemas/Quote"}),
    "/v1/checkpoint": ("A C2SP signed note", {"type": "string"}),
    "/v1/tile/{level}/{index}": ("A C2SP tile", {"type": "string", "format": "binary"}),
    "/v1/what-if": ("The quote, not recorded", {"$ref": "#/components/schemas/Quote"}),
    "/v1/model": ("The card", OBJECT),
    "/v1/registry": ("Which model serves here, since when, and what was refused", OBJECT),
    "/v1/columns": ("The dictionary", OBJECT),
    "/openapi.json": ("This document", OBJECT),
    "/livez": ("It answers", OBJECT),
    "/readyz": ("Quotes can be made", OBJECT),
    "/metrics": ("Prometheus's text format", {"type": "string"}),
    "/quote": ("The quote, recorded", {"$ref": "#/components/schemas/Quote"}),
    "/schema.json": ("BentoML's description of its one endpoint", OBJECT),
}


def openapi_document(
    column_set: ColumnSet, contract: Contract, examples: Mapping[str, Any]
) -> Json:
    """Return the document.

    Args:
        column_set: of the model that serves.
        contract: made of it.
        examples: sound requests, by name.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "seedrate",
            "version": "1",
            "summary": "Prices the risk of early-stage loans, explained in basis points.",
            "description": (
                f"The model that serves knows the columns of {column_set.name} "
                f"{column_set.version} ({column_set.title}); money is in {column_set.currency}."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(examples),
        "components": {
            "schemas": _schemas(column_set, contract),
            "securitySchemes": {"credential": CREDENTIAL},
        },
    }


def _paths(examples: Mapping[str, Any]) -> Json:
    paths: dict[str, Json] = {}
    for door in DOORS:
        paths.setdefault(door.path, {})[door.method.lower()] = _operation(door, examples)
    return paths


def _operation(door: Door, examples: Mapping[str, Any]) -> Json:
    operation: Json = {
        "operationId": _name(door),
        "summary": door.says,
        "security": [] if door.scope == PUBLIC else [{"credential": [door.scope]}],
        "responses": _responses(door),
    }
    parameters = [
        {
            "name": part,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^(?:{PARTS[part]})$"},
        }
        for part in door.parts
    ]
    if door.keyed:
        parameters.append(IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    if door.most_bytes:
        operation["requestBody"] = _request(door, examples)
    return operation


def _name(door: Door) -> str:
    words = door.path.strip("/").replace(".json", "").replace("{quote_id}", "recorded")
    plain = words.translate({ord("{"): None, ord("}"): None, ord("-"): "_"})
    return "_".join([door.method.lower(), *plain.split("/")])


def _request(door: Door, examples: Mapping[str, Any]) -> Json:
    if door.most_bytes > SINGLE:
        schema = {"$ref": "#/components/schemas/Batch"}
        shown = {"batch": {"value": {"quotes": [*examples.values()]}}} if examples else {}
    else:
        schema = {"$ref": "#/components/schemas/Request"}
        shown = {name: {"value": value} for name, value in examples.items()}
    content: Json = {"schema": schema}
    if shown:
        content["examples"] = shown
    return {"required": True, "content": {JSON: content}}


def _responses(door: Door) -> Json:
    says, schema = REPLIES[door.path]
    status = "201" if door.path == "/v1/quotes" else "200"
    reply: Json = {"description": says, "content": {door.replies: {"schema": schema}}}
    if status == "201":
        link = {"description": "Where the recorded quote is", "schema": {"type": "string"}}
        again = {"description": "The reply was recorded before", "schema": {"const": "true"}}
        reply["headers"] = {"Location": link, "Idempotent-Replayed": again}
    problems: tuple[Problem, ...] = ANY if door.scope == PUBLIC else ANY + CLOSED
    problems += (WITH_BODY if door.most_bytes else ()) + ALSO.get(door.path, ())
    return {status: reply, **_refusals(problems)}


def _refusals(problems: Sequence[Problem]) -> Json:
    by_status: dict[int, list[Problem]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    return {
        str(status): {
            "description": "; ".join(f"{one.code}: {one.title}" for one in same),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, same in sorted(by_status.items())
    }


def _schemas(column_set: ColumnSet, contract: Contract) -> Json:
    columns = {column.name: column for column in column_set.columns}
    project = [_documented(field, columns[field.name], column_set) for field in contract.project]
    by_terms = {column.terms: column for column in column_set.columns if column.terms}
    instruments = [_instrument(kind, by_terms, column_set) for kind in contract.kinds.values()]
    inner = {
        "project": schema(project),
        "instrument": {"oneOf": instruments, "discriminator": {"propertyName": "kind"}},
    }
    envelope = [
        Field(field.name, field.expected, field.check, inner.get(field.name, field.json))
        if field.required
        else field
        for field in contract.envelope
    ]
    return {
        "Request": schema(envelope),
        "Batch": {
            "type": "object",
            "additionalProperties": False,
            "required": ["quotes"],
            "properties": {
                "quotes": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MOST_QUOTES,
                    "items": {
                        "description": "A Request; each is checked and answered by itself.",
                    },
                }
            },
        },
        "Quote": QUOTE,
        "Receipt": RECEIPT,
        "BatchResults": BATCH_RESULTS,
        "Problem": PROBLEM,
        "Decimal": DECIMAL,
    }


def _instrument(kind: Kind, by_terms: Mapping[str, Column], column_set: ColumnSet) -> Json:
    """Return what may be asked of one instrument."""
    fields = [
        _documented(field, by_terms[field.name], column_set) if field.name in by_terms else field
        for field in kind.fields
    ]
    of_kind = schema(fields)
    return {
        **of_kind,
        "title": kind.name,
        "description": kind.says,
        "required": ["kind", *of_kind["required"]],
        "properties": {"kind": {"const": kind.name}, **of_kind["properties"]},
    }


def _documented(field: Field, column: Column, column_set: ColumnSet) -> Field:
    """Return the field with everything the column set says of it."""
    json = {
        "title": column.label,
        "description": f"{column.meaning} Must be {field.expected}.",
        **field.json,
        "x-unit": column.unit,
        "x-group": column.group,
        "x-source": column_set.sources[column.source][0],
        "x-direction": column.direction.value,
        "x-label-zh": column.label_zh,
        "x-meaning-zh": column.meaning_zh,
    }
    if column.direction is not Direction.FREE:
        json["x-direction-reason"] = column.reason
    return replace(field, json=json)


PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457; callers may match on `code`.",
    "required": ["type", "title", "status", "code", "detail", "faults"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"enum": [problem.code for problem in PROBLEMS]},
        "detail": {"type": "string"},
        "faults": {
            "type": "array",
            "description": "Every field that is wrong, at once.",
            "items": {
                "type": "object",
                "required": ["field", "expected", "given"],
                "additionalProperties": False,
                "properties": {
                    "field": {"type": "string"},
                    "expected": {"type": "string"},
                    "given": {"type": "string"},
                },
            },
        },
    },
}
BATCH_RESULTS: Json = {
    "type": "object",
    "required": ["results"],
    "additionalProperties": False,
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status"],
                "additionalProperties": False,
                "properties": {
                    "status": {"type": "integer"},
                    "quote": {"$ref": "#/components/schemas/Quote"},
                    "problem": {"$ref": "#/components/schemas/Problem"},
                },
            },
        }
    },
}
