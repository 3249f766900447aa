"""The trained refiner as an ONNX file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cryoweave_unet.graphs import DIRECTIONS, EDGE, NEIGHBOURS, NODE
from cryoweave_unet.nodes import EPSILON, Nodes, State, finished
from cryoweave_unet.refiner import HEADS, LAYERS, OUTPUTS, WIDTH


class _Refiner(Nodes):
    """Nodes of the refiner."""

    def numbers(self, name: str, values: list[int]) -> str:
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def linear(self, x: str, name: str) -> str:
        out = self.add("MatMul", [x, self.weight(f"{name}.weight", self.state[f"{name}.weight"].T)])
        if f"{name}.bias" not in self.state:
            return out
        return self.add("Add", [out, self.weight(f"{name}.bias", self.state[f"{name}.bias"])])

    def norm(self, x: str, name: str) -> str:
        parts = [self.weight(f"{name}.{part}", self.state[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.add("LayerNormalization", [x, *parts], axis=-1, epsilon=EPSILON)

    def gathered(self, x: str) -> str:
        return self.add("Gather", [x, "index"], axis=0)

    def layer(self, h: str, name: str) -> str:
        x = self.norm(h, f"{name}.before")
        key, value = (
            self.add(
                "Reshape",
                [
                    self.add(
                        "Add",
                        [self.gathered(self.linear(x, f"{name}.{one}")), self.linear("edge", f"{name}.edge_{one}")],
                    ),
                    "heads",
                ],
            )
            for one in ("key", "value")
        )
        query = self.add("Reshape", [self.linear(x, f"{name}.query"), "one_head"])
        score = self.add("ReduceSum", [self.add("Mul", [query, key]), "last"], keepdims=1)
        share = self.add("Softmax", [self.add("Mul", [score, "scale"])], axis=1)
        taken = self.add("ReduceSum", [self.add("Mul", [share, value]), "second"], keepdims=0)
        h = self.add("Add", [h, self.linear(self.add("Reshape", [taken, "flat"]), f"{name}.out")])
        wide = self.add("Relu", [self.linear(self.norm(h, f"{name}.between"), f"{name}.wide")])
        return self.add("Add", [h, self.linear(wide, f"{name}.narrow")])


def refiner_model(state: State, about: Mapping[str, str]) -> onnx.ModelProto:
    """The refiner of these weights: a graph's arrays, as float32, to ``logits`` ``(n, 21)`` and ``move`` ``(n, 3)``."""
    graph = _Refiner(state)
    for name, values in {
        "heads": [0, 0, HEADS, WIDTH // HEADS],
        "one_head": [0, 1, HEADS, WIDTH // HEADS],
        "flat": [0, WIDTH],
        "last": [-1],
        "second": [1],
        "third": [2],
    }.items():
        graph.numbers(name, values)
    graph.weights.append(numpy_helper.from_array(np.float32((WIDTH // HEADS) ** -0.5), "scale"))
    graph.nodes.append(helper.make_node("Cast", ["neighbour"], ["index"], to=TensorProto.INT64))
    h = graph.linear("node", "enter")
    for i in range(LAYERS):
        h = graph.layer(h, f"layers.{i}")
    h = graph.norm(h, "last")
    graph.nodes.append(helper.make_node("Identity", [graph.linear(h, "logits")], ["logits"]))
    own = graph.add("Unsqueeze", [graph.linear(h, "own"), "second"])
    pair = graph.add("Add", [own, graph.gathered(graph.linear(h, "other"))])
    pair = graph.add("Relu", [graph.add("Add", [pair, graph.linear("edge", "edge")])])
    towards = graph.add("Squeeze", [graph.linear(pair, "pair"), "third"])
    share = graph.add("Concat", [towards, graph.linear(h, "along")], axis=1)
    moves = graph.add("Mul", [graph.add("Unsqueeze", [share, "third"]), "step"])
    graph.nodes.append(helper.make_node("ReduceSum", [moves, "second"], ["move"], keepdims=0))
    return finished(graph, _inputs(), _outputs(), about)


def _inputs() -> list[Any]:
    k = NEIGHBOURS
    shapes = {"node": [NODE], "edge": [k, EDGE], "neighbour": [k], "step": [k + len(DIRECTIONS), 3]}
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in shapes.items()]


def _outputs() -> list[Any]:
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in (("logits", OUTPUTS), ("move", 3))
    ]
