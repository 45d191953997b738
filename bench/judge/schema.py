"""The JSON schema of verdict files, made of the dataclasses that they hold.

docs/verdict.schema.json is what `text` says, for readers in other languages; a test holds them
together, and real verdicts to it.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from bench.judge import verdict_file
from bench.judge.verdicts import Verdict

NAME = "docs/verdict.schema.json"
_TEXT = {"type": "string"}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


def schema() -> dict[str, Any]:
    """Of a file of `verdict --save`, and of what `--format json` and `Judged.json` say.

    Those two have `conclusions` and `violations`, too.
    """
    parts: dict[str, Any] = {}
    verdict = _of(Verdict, parts)
    lines = {"type": "array", "items": _TEXT}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Verdicts on softmax functions",
        "type": "object",
        "properties": {
            "schema": {"const": verdict_file.SCHEMA},
            "environment": {"type": "object", "additionalProperties": {"anyOf": [_TEXT, lines]}},
            "verdicts": {"type": "array", "items": verdict},
            "conclusions": lines,
            "violations": lines,
        },
        "required": ["schema", "environment", "verdicts"],
        "additionalProperties": False,
        "$defs": parts,
    }


def text() -> str:
    """The schema as it stands in docs."""
    return json.dumps(schema(), indent=2) + "\n"


def _of(kind: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; dataclasses are put among the parts, by their names."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in parts:
            parts[kind.__name__] = {}  # before its fields, one of which may be of its own kind
            parts[kind.__name__] = _object(kind, parts)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return _KINDS[get_origin(kind)](get_args(kind), parts)


def _object(kind: type, parts: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    first, _, _ = (kind.__doc__ or "").partition("\n")
    return {
        "description": first,
        "type": "object",
        "properties": {one.name: _of(hints[one.name], parts) for one in fields(kind)},
        "required": [one.name for one in fields(kind) if _required(one)],
        "additionalProperties": False,
    }


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _union(kinds: tuple[Any, ...], parts: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [_of(kind, parts) for kind in kinds]}


def _list(kinds: tuple[Any, ...], parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _of(kinds[0], parts)}


def _mapping(kinds: tuple[Any, ...], parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _of(kinds[1], parts)}


_KINDS: dict[Any, Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]] = {
    types.UnionType: _union,
    Union: _union,
    list: _list,
    tuple: _list,
    dict: _mapping,
}
