"""JSON schemas made from Python types, so that the API's description is declared once, in code."""

from __future__ import annotations

import re
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    bytes: {"type": "string", "format": "binary"},
    dict: {"type": "object"},
}


class Schemas:
    """Makes schemas of types; classes become components under their own names, kept in `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type.

        Supported are the plain types, `bytes` (a file), `Literal`, `list[T]`, `dict[str, T]`, `T | None`, and annotated
        classes (TypedDict, dataclass). `Annotated[T, {"maximum": 9}]` adds to a schema. Raise TypeError for any other
        type.
        """
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is None and kind in _PLAIN:
            return dict(_PLAIN[kind])
        if origin is Annotated:
            return self.of(arguments[0]) | arguments[1]
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin in {Union, UnionType}:
            return _any_of([self.of(one) for one in arguments])
        if isinstance(kind, type) and get_type_hints(kind):
            return self._named(kind)
        raise TypeError(f"no schema is known for {kind!r}; see webui.openapi.schemas")

    def _named(self, kind: type) -> Schema:
        if kind.__name__ not in self.components:
            self.components[kind.__name__] = {}  # first, as a class may contain itself
            self.components[kind.__name__] = self._members(kind)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def _members(self, kind: type) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
        properties = {name: self.of(get_args(hint)[0] if name in optional else hint) for name, hint in hints.items()}
        required = [name for name in hints if name not in optional]
        return {"type": "object", "description": about(kind), "required": required, "properties": properties}


def about(described: Any) -> str:
    """Return the first paragraph of a docstring in one line, without backquotes."""
    return re.sub(r"\s+", " ", cleandoc(described.__doc__ or "").split("\n\n")[0]).replace("`", "")


def _any_of(schemas: list[Schema]) -> Schema:
    """Return the shorter form {"type": [..., "null"]} where one of two is null and the other has a plain type."""
    first, *others = schemas
    if others == [{"type": "null"}] and isinstance(first.get("type"), str) and "enum" not in first:
        return first | {"type": [first["type"], "null"]}
    return {"anyOf": schemas}
