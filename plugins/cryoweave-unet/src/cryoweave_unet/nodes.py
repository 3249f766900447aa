"""Building blocks of ONNX files: convolutions with their normalisation folded in, weights in float16 or int8."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 9
"""Old enough for every ONNX Runtime that is supported."""
EPSILON = 1e-5
"""Of torch's batch normalisation."""
SCALE = ".scale"
"""Ends the name of what int8 weights are to be multiplied by."""
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")

State = Mapping[str, torch.Tensor]


class Nodes:
    """Nodes and weights, one after the other."""

    def __init__(self, state: State, bits: int = 16) -> None:
        self.bits = bits
        self.state = {name: value.detach().double().numpy() for name, value in state.items()}
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def weight(self, name: str, values: NDArray[np.float64]) -> str:
        """In float16, or kernels in int8 with a scale for each output; float32 once the file is loaded."""
        if self.bits == 8 and values.ndim == 5:
            scale = np.maximum(np.abs(values).max(axis=(1, 2, 3, 4), keepdims=True), 1e-12) / 127
            whole = np.rint(values / scale).astype(np.int8)
            self.weights.append(numpy_helper.from_array(whole, name))
            self.weights.append(numpy_helper.from_array(scale.astype(np.float32), name + SCALE))
            return self.add("Mul", [self.add("Cast", [name], to=TensorProto.FLOAT), name + SCALE])
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), name))
        return self.add("Cast", [name], to=TensorProto.FLOAT)

    def convolution(self, x: str, name: str, stride: int = 1) -> str:
        """A convolution or linear layer, with the normalisation that follows it folded in."""
        weight = self.state[f"{name}.weight"]
        norm = norm_of(name)
        if f"{norm}.running_var" in self.state:
            scale, bias = folding(self.state, norm)
            weight = weight * scale.reshape(-1, 1, 1, 1, 1)
        else:
            bias = self.state[f"{name}.bias"]
        weight = weight.reshape(*weight.shape, *(1,) * (5 - weight.ndim))
        pads = [weight.shape[2] // 2 if stride == 1 else 0] * 6
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)]
        return self.add("Conv", inputs, kernel_shape=list(weight.shape[2:]), pads=pads, strides=[stride] * 3)

    def block(self, x: str, name: str) -> str:
        inner = self.add("Relu", [self.convolution(x, f"{name}.first.0")])
        inner = self.convolution(inner, f"{name}.second.0")
        return self.add("Relu", [self.add("Add", [x, inner])])

    def doubled(self, x: str) -> str:
        return self.add(
            "Resize",
            [x, "", "scales"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )


def norm_of(convolution: str) -> str:
    """Name of the normalisation after a convolution: the next in its sequence."""
    head, _, last = convolution.rpartition(".")
    return f"{head}.{int(last) + 1}" if last.isdecimal() else ""


def folding(state: Mapping[str, NDArray[np.float64]], norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a normalisation multiplies by and adds."""
    weight, bias, mean, variance = (state[f"{norm}.{part}"] for part in NORM_PARTS)
    scale = weight / np.sqrt(variance + EPSILON)
    return scale, bias - mean * scale


def finished(graph: Nodes, inputs: list[Any], outputs: list[Any], about: Mapping[str, str]) -> onnx.ModelProto:
    """The graph as a checked model."""
    made = helper.make_graph(graph.nodes, "network", inputs, outputs, graph.weights)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="cryoweave"
    )
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model)
    return model
