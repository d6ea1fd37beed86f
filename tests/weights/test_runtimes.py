import numpy as np
import pytest

from fersyn.errors import FersynError
from fersyn.weights import runtimes

VALUES = np.array([[1, -2.5], [3, 4]], np.float32)


def layer(name, kind, shape, offset, size):
    data = f'<data element_type="{kind}" shape="{shape}" offset="{offset}" size="{size}"/>'
    return f'<layer name="{name}" type="Const">{data}</layer>'


def written(tmp_path, raw, *layers):
    graph, numbers = tmp_path / "a.xml", tmp_path / "a.bin"
    graph.write_text(f'<net><layers><layer name="x" type="Parameter"/>{"".join(layers)}</layers></net>')
    numbers.write_bytes(raw)
    return graph, numbers


def test_openvino_constants_are_where_the_graph_says(tmp_path):
    raw = b"\0" * 4 + VALUES.tobytes() + np.int64(7).tobytes()
    files = written(tmp_path, raw, layer("a", "f32", "2, 2", 4, 16), layer("b", "i64", "", 20, 8))
    found = runtimes.openvino(*files)
    assert set(found) == {"a", "b"} and found["a"].dtype == np.float32 and found["b"].shape == ()
    assert found["a"].tolist() == VALUES.tolist() and found["b"] == 7


@pytest.mark.parametrize(
    "raw, one",
    [
        (VALUES.tobytes()[:-1], layer("a", "f32", "2, 2", 0, 16)),
        (VALUES.tobytes(), layer("a", "f32", "2, 3", 0, 16)),
        (VALUES.tobytes(), layer("a", "u1", "2, 2", 0, 16)),
        (VALUES.tobytes(), "</layers>"),
    ],
)
def test_openvino_files_that_do_not_fit(tmp_path, raw, one):
    with pytest.raises(FersynError, match="a.xml and .*a.bin cannot be read"):
        runtimes.openvino(*written(tmp_path, raw, one))


def message(*fields):
    """Fields of protobuf: (number, integer or bytes)."""
    out = b""
    for number, value in fields:
        out += varint(number << 3 | (0 if isinstance(value, int) else 2))
        out += varint(value) if isinstance(value, int) else varint(len(value)) + value
    return out


def varint(value):
    return (bytes([value & 127 | 128]) + varint(value >> 7)) if value > 127 else bytes([value])


def model(*tensors):
    graph = message((1, b"a node"), *((5, tensor) for tensor in tensors))
    return message((1, 8), (7, graph)) + b"\x15\0\0\0\0"  # and a field of four bytes that is not known


def test_onnx_constants_by_name(tmp_path):
    one = message((1, 2), (1, 2), (2, 1), (8, b"weight"), (4, VALUES.tobytes()))
    packed = message((1, varint(300)), (2, 7), (8, b"long"), (9, np.arange(300).tobytes()))
    (tmp_path / "a.onnx").write_bytes(model(one, packed))
    found = runtimes.onnx(tmp_path / "a.onnx")
    assert found["weight"].tolist() == VALUES.tolist() and found["weight"].dtype == np.float32
    assert found["long"].tolist() == list(range(300)) and found["long"].flags.writeable


def test_onnx_files_that_are_none(tmp_path):
    good = model(message((1, 4), (2, 1), (8, b"w"), (9, VALUES.tobytes())))
    text = model(message((1, 1), (2, 8), (8, b"w"), (9, b"abc")))  # strings
    for content in (b"", b"no ONNX at all", good[:-12], model(), text):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(FersynError, match="a.onnx cannot be read"):
            runtimes.onnx(tmp_path / "a.onnx")
