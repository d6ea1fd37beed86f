"""Constants of networks that were stored for a runtime (OpenVINO, ONNX), by name, as plain numbers: nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from fersyn.errors import FersynError

_OPENVINO = {"f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}
_ONNX = {
    1: "<f4",
    10: "<f2",
    7: "<i8",
    6: "<i4",
}  # TensorProto.DataType; numbers that stand in `raw_data` or `float_data`


def openvino(graph: Path, numbers: Path) -> dict[str, np.ndarray]:
    """The constants of a network of OpenVINO's format (IR), by the names that their layers have.

    Args:
        graph: its .xml, which says where in the other file each constant stands.
        numbers: its .bin.

    Raises:
        FersynError: the two are no network of that kind, or do not belong together.
    """
    try:
        raw, found = numbers.read_bytes(), {}
        for layer in ElementTree.parse(graph).getroot().find("layers"):
            if layer.get("type") == "Const":
                about = layer.find("data").attrib
                kind = np.dtype(_OPENVINO[about["element_type"]])
                shape = [int(side) for side in about["shape"].split(",") if side.strip()]
                values = np.frombuffer(raw, kind, int(about["size"]) // kind.itemsize, int(about["offset"]))
                found[layer.get("name")] = values.reshape(shape).astype(kind.newbyteorder("="))
        return found
    except Exception as error:  # of a damaged file anything may be missing
        raise FersynError(
            f"{graph} and {numbers} cannot be read ({error}); delete them and fetch them again"
        ) from error


def onnx(path: Path) -> dict[str, np.ndarray]:
    """The constants (initialisers) of an ONNX file, by name.

    Raises:
        FersynError: it is none, or holds other numbers than floats and integers.
    """
    try:
        data = memoryview(path.read_bytes())
        # ModelProto.graph = 7, GraphProto.initializer = 5 (onnx.proto, Apache-2.0)
        graphs = [value for number, value in _fields(data) if number == 7]
        found = dict(_tensor(value) for number, value in _fields(graphs[0]) if number == 5)
        if not found:
            raise ValueError("no constants")
        return found
    except Exception as error:  # bytes of something else lead anywhere
        raise FersynError(f"{path} cannot be read ({error}); delete it and fetch it again") from error


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    """A TensorProto: dims = 1, data_type = 2, float_data = 4, name = 8, raw_data = 9."""
    shape, kind, name, raw = [], 0, "", b""
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2:
            kind = value
        elif number in (4, 9):
            raw = value
        elif number == 8:
            name = bytes(value).decode()
    return name, np.frombuffer(raw, _ONNX[kind]).reshape(shape).copy()


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """A message of protobuf as its fields: number, and an integer or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            length, at = _varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = data[at : at + length], at + length
            if at > len(data):
                raise ValueError("it ends too early")
        yield key >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value
