"""A model of one ONNX operator, as bytes. Saves whoever measures ONNX Runtime the package `onnx`.

The wire format is that of Protocol Buffers: fields of a number and a payload, nested. The numbers
are those of `onnx.proto`, IR version 8 and operator set 13.
"""

from __future__ import annotations

from collections.abc import Mapping

Attribute = int | str | list[int]
INT64 = 7
ELEMENT_TYPES = {"fp16": 10, "fp32": 1, "fp64": 11}
_INT, _STRING, _INTS = 2, 3, 7


def model(
    operator: str,
    attributes: Mapping[str, Attribute],
    format_name: str,
    labelled: bool,
    rank: int = 2,
) -> bytes:
    """Input `x` of `rank` axes, with `labelled` labels `y` of one, output `z` of the operator."""
    inputs = {"x": (ELEMENT_TYPES[format_name], rank)} | ({"y": (INT64, 1)} if labelled else {})
    node = b"".join(_field(1, name) for name in inputs) + _field(2, "z") + _field(4, operator)
    node += b"".join(_field(5, _attribute(name, value)) for name, value in attributes.items())
    graph = _field(1, node) + _field(2, "one operator")
    graph += b"".join(_field(11, _value(name, *kind)) for name, kind in inputs.items())
    graph += _field(12, _field(1, "z"))  # its type is inferred
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def _value(name: str, element_type: int, rank: int) -> bytes:
    shape = b"".join(_field(1, _field(2, f"{name}{axis}")) for axis in range(rank))
    tensor = _field(1, element_type) + _field(2, shape)
    return _field(1, name) + _field(2, _field(1, tensor))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return _field(1, name) + _field(4, value) + _field(20, _STRING)
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, _INT)
    return _field(1, name) + b"".join(_field(8, v) for v in value) + _field(20, _INTS)


def _field(number: int, payload: bytes | str | int) -> bytes:
    if isinstance(payload, int):
        return _varint(number << 3) + _varint(payload % 2**64)
    data = payload.encode() if isinstance(payload, str) else payload
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first, the high bit set in all but the last."""
    rest = bytearray()
    while value > 127:
        rest.append(value & 127 | 128)
        value >>= 7
    return bytes([*rest, value])
