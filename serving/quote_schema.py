"""The shape of a quote, as JSON Schema."""

from __future__ import annotations

from typing import Any

from models.grades import GRADES, MONTHS, band
from serving.instruments import KINDS

Json = dict[str, Any]

DECIMAL: Json = {
    "type": "string",
    "pattern": r"^-?[0-9]+\.[0-9]+$",
    "description": "A decimal number as text, so that what adds up on paper adds up here.",
}
TEXT: Json = {"type": "string"}


def _decimal(says: str) -> Json:
    return {"$ref": "#/components/schemas/Decimal", "description": says}


def _number(says: str) -> Json:
    return {"type": "number", "description": says}


def _rows(says: str, properties: Json) -> Json:
    return {
        "type": "array",
        "description": says,
        "items": _object(properties),
    }


def _object(properties: Json, says: str = "") -> Json:
    return {
        "type": "object",
        "required": [*properties],
        "additionalProperties": False,
        "properties": properties,
        **({"description": says} if says else {}),
    }


_BPS = _decimal("Basis points, to 0.01")
_VERSIONED = {
    "name": TEXT,
    "version": TEXT,
    "digest": {"type": "string", "description": "SHA-256, in hexadecimal"},
}
_EXPLANATION = {
    "of": {"type": "string", "description": "The figure explained"},
    "method": {
        "enum": ["path", "exact_groups"],
        "description": (
            "path: Aumann-Shapley; exact_groups: the exact Shapley values of the groups, split "
            "among their columns as the path says"
        ),
    },
    "base_bps": _decimal("The figure of the reference: what the background's mean costs"),
    "items": _rows(
        "What each column adds, largest first",
        {
            "column": TEXT,
            "group": TEXT,
            "value": {"type": ["number", "string", "boolean", "null"]},
            "unit": TEXT,
            "bps": _BPS,
        },
    ),
    "groups": _rows("The items added up by business group", {"group": TEXT, "bps": _BPS}),
    "lines": _rows("What no column adds", {"name": TEXT, "bps": _BPS}),
    "total_bps": _decimal("base + items + lines, exactly, which is the figure"),
    "reasons": _rows(
        "The at most four columns that raise the price most",
        {"code": TEXT, "column": TEXT, "bps": _BPS, "text": TEXT},
    ),
}
_AUDIT = {
    "groups": _rows("The exact Shapley values of the figure", {"group": TEXT, "bps": _BPS}),
    "macro_bps": _decimal("Likewise of the economy of late"),
    "mean_difference_bps": _decimal("How far the path is off, the mean of the groups"),
    "limit_bps": _decimal("The larger of 5 bp and 3 % of the groups' sizes together"),
    "alarm": {"type": "boolean", "description": "Whether the difference is above the limit"},
}
_HORIZONS = {
    "12": _decimal("Within 12 months, or within a shorter term"),
    "36": _decimal("Within 36 months, or within a shorter term"),
    "60": _decimal("Within 60 months, or within a shorter term"),
    "lifetime": _decimal("Within the term"),
}
FIGURES: Json = {
    "spread_bps": _decimal("Of a loan: all that the client pays above funding, a year"),
    "fee_bps": _decimal("Of a guarantee: a year, of the loan outstanding"),
    "premium_bps": _decimal("Of insurance: a year, of the sum insured"),
    "value_bps": _decimal("Of a stake: its value less the investment, of the investment"),
}
_ENDS: Json = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {"oneOf": [{"$ref": "#/components/schemas/Decimal"}, {"type": "null"}]},
}
_INTERVAL: Json = {
    "type": "object",
    "description": "Low and high end; of the figure before floor, cap and support",
    "required": ["level", "of", "pd_lifetime"],
    "additionalProperties": False,
    "properties": {
        "level": {"type": "number"},
        "of": {"enum": ["bag", "bag_and_cohorts"]},
        "pd_lifetime": _ENDS,
        **dict.fromkeys(FIGURES, _ENDS),
    },
}
QUOTE: Json = _object(
    {
        "quote_id": {
            "type": ["string", "null"],
            "description": "Sorts by time; null for a what-if",
        },
        "recorded": {"type": "boolean", "description": "false for a what-if"},
        "time": {"type": "string", "format": "date-time"},
        "reference": {"type": ["string", "null"], "description": "As the caller gave it"},
        "instrument": {
            "type": "object",
            "description": "Kind and terms as they were understood, defaults filled in",
            "required": ["kind"],
            "properties": {"kind": {"enum": [*KINDS]}},
        },
        "rate": _decimal("All of the waterfall, annual and as a fraction; absent for a stake"),
        **FIGURES,
        "waterfall": _rows("The parts of the rate", {"name": TEXT, "bps": _BPS}),
        "pd": _object(
            _HORIZONS,
            "Probability that the loan defaults: a month beyond the term stands at its end. The "
            "borrower's year, which capital, a pool's cap and thin data ask for, may be more",
        ),
        "grade": {
            "type": "integer",
            "minimum": GRADES[0],
            "maximum": GRADES[-1],
            "description": f"On the master scale: 1 is the safest; PDs within {MONTHS} months of "
            + "; ".join(f"{grade}: {band(grade)}" for grade in GRADES),
        },
        "lgd": _decimal("The borrower's loss given default, before any pledge, cover or share"),
        "survival": _rows(
            "Probability that the loan still runs",
            {"month": {"type": "integer"}, "alive": _decimal("In [0, 1]")},
        ),
        "interval": _INTERVAL,
        "details": {
            "type": "object",
            "description": "What only this instrument, its support or its provisions have to say",
            "properties": {
                "raroc": _number("Return on capital after tax, at the rate charged"),
                "loss_at_default": _number("Cost of a default by unit outstanding, where not lgd"),
                "ecl": {
                    "type": "object",
                    "description": "Expected credit losses in currency (IFRS 9); net of a scheme "
                    "that is integral to the loan, and what is booked",
                    "required": ["stage", "eir", "twelve_month", "lifetime", "booked"],
                    "additionalProperties": {"type": "number"},
                },
                "support": {
                    "type": "object",
                    "properties": {
                        "expected_loss_payers": _rows(
                            "They add up to the line expected_loss; all but the bank to "
                            "what scheme_loss takes over",
                            {"payer": TEXT, "role": TEXT, "bps": _BPS},
                        ),
                    },
                },
            },
        },
        "explanation": {
            **_object(_EXPLANATION),
            "properties": {
                **_EXPLANATION,
                "audit": _object(_AUDIT, "Only where the explanation was audited"),
            },
        },
        "missing_sources": _rows(
            "Sources of which nothing is known, and what that costs; part of the items",
            {"source": TEXT, "columns": {"type": "array", "items": TEXT}, "bps": _BPS},
        ),
        "model": _object(_VERSIONED),
        "policy": _object(
            {
                **_VERSIONED,
                "overrides": {
                    "type": "object",
                    "description": "Numbers of the policy that were changed as asked",
                    "additionalProperties": {"type": "number"},
                },
            }
        ),
    }
)
QUOTE["required"] = [name for name in QUOTE["required"] if name not in {"rate", *FIGURES}]
# Exactly one figure. Said as "not not", since generators of clients read a plain oneOf beside
# properties as a union of unknown types, and lose the quote.
QUOTE["not"] = {"not": {"oneOf": [{"required": [figure]} for figure in FIGURES]}}

_BASE64: Json = {"type": "string", "contentEncoding": "base64"}
RECEIPT: Json = _object(
    {
        "schema": {"const": "seedrate.receipt.1"},
        "quote_id": TEXT,
        "seq": {"type": "integer", "minimum": 0, "description": "Of the leaf, from 0"},
        "body": {**_BASE64, "description": "The entry, exactly as it is hashed"},
        "checkpoint": {"type": "string", "description": "C2SP signed note"},
        "path": {"type": "array", "items": _BASE64, "description": "RFC 9162, from the leaf up"},
        "openings": {
            "type": "object",
            "description": "Each private field with its salt; none once they are erased",
            "additionalProperties": _object({"salt": _BASE64, "value": _BASE64}),
        },
        "anchors": {
            "type": "array",
            "description": "What outsiders have attested about the checkpoint",
            "items": _object(
                {
                    "kind": TEXT,
                    "note": TEXT,
                    "data": _BASE64,
                    "published_us": {"type": "integer"},
                }
            ),
        },
    }
)
