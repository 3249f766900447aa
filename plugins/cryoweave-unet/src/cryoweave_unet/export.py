"""A trained network as an ONNX file: convolutions with their normalisation folded in, weights in float16 or int8.

The file's properties keep the normalisations, so that training can go on from the file.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cryoweave.errors import InputError
from cryoweave_unet.export_refiner import refiner_model
from cryoweave_unet.network import BLOCKS, STRIDE
from cryoweave_unet.nodes import NORM_PARTS, SCALE, Nodes, State, finished, folding, norm_of
from cryoweave_unet.tasks import REFINE, Task

NORMS = "norms"


def unet_model(state: State, about: Mapping[str, str], bits: int = 16) -> onnx.ModelProto:
    """The U-Net of these weights; input ``density`` ``(n, inputs, d, d, d)``, output ``logits`` ``(n, c, d, d, d)``.

    Parameters
    ----------
    state
        As of :class:`~cryoweave_unet.network.UNet`.
    about
        Written into the file's properties: ``task``, and where the weights come from.
    bits
        Of a kernel's weights: 16 or 8.
    """
    graph = Nodes(state, bits)
    graph.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2, 2], np.float32), "scales"))
    x = "density"
    for number in (0, 2):
        x = graph.add("Relu", [graph.convolution(x, f"stem.{number}.0")])
    levels = [x]
    for i, blocks in enumerate(BLOCKS[1:]):
        x = graph.add("Relu", [graph.convolution(x, f"down.{i}.0", stride=2)])
        for k in range(blocks):
            x = graph.block(x, f"down.{i}.{3 + k}")
        levels.append(x)
    fine = levels.pop()
    for i in reversed(range(len(levels))):
        coarse = fine
        widened = graph.doubled(graph.convolution(coarse, f"narrow.{i}"))
        fine = graph.block(graph.add("Add", [widened, levels[i]]), f"up.{i}")
    heads = [graph.convolution(fine, "dense")]
    if "last.weight" in graph.state:
        both = graph.add("Concat", [fine, graph.doubled(coarse)], axis=1)
        heads.append(graph.convolution(graph.add("Relu", [graph.convolution(both, "point")]), "last"))
    graph.nodes.append(helper.make_node("Concat", heads, ["logits"], axis=1))
    inputs = graph.state["stem.0.0.weight"].shape[1]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "z", "y", "x"])
        for name, channels in (("density", inputs), ("logits", None))
    ]
    return finished(graph, ends[:1], ends[1:], {**about, "stride": str(STRIDE), NORMS: _packed_norms(graph.state)})


def export(state: State, path: Path, about: Mapping[str, str], bits: int = 16) -> None:
    """Write the network of a task to a file, whole or not at all.

    Parameters
    ----------
    state
        The weights.
    path
        The file.
    about
        Written into the file's properties: ``task``, and where the weights come from.
    bits
        Of a U-Net's kernels: 16 (float) or 8 (whole numbers with a scale for each output).
    """
    model = refiner_model(state, about) if about["task"] == REFINE.name else unet_model(state, about, bits)
    part = path.with_name(path.name + ".part")
    part.write_bytes(model.SerializeToString())
    part.replace(path)


def weights_of(path: Path, task: Task) -> dict[str, torch.Tensor]:
    """The state of the network in an exported file, to train on from.

    Raises
    ------
    InputError
        If the file is not one that :func:`export` wrote, for this task.
    """
    template = task.build().state_dict()
    try:
        model = onnx.load(path)
        found = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in model.graph.initializer}
        for name in [name for name in found if name.endswith(SCALE)]:
            found[name.removesuffix(SCALE)] = found[name.removesuffix(SCALE)] * found.pop(name)
        props = {one.key: one.value for one in model.metadata_props}
        if (other := props.get("task", task.name)) != task.name:
            raise ValueError(f"it is a network of {other}")
        norms = np.frombuffer(base64.b64decode(props[NORMS]), np.float32).astype(np.float64)
        for name in _norm_names(template):
            length = template[name].numel()
            found[name], norms = norms[:length], norms[length:]
        for name in template:
            conv = name.removesuffix(".weight")
            if name.endswith(".weight") and f"{norm_of(conv)}.running_var" in template:
                scale, _ = folding(found, norm_of(conv))
                found[name] = found[name] / np.where(scale == 0, 1, scale).reshape(-1, 1, 1, 1, 1)
        return {
            name: torch.zeros_like(value) if name.endswith("num_batches_tracked")
            else torch.from_numpy(found[name]).reshape(value.shape).to(value.dtype)
            for name, value in template.items()
        }  # fmt: skip
    except Exception as error:  # onnx tells a damaged file by its parser's own errors
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} cannot be trained on from: {reason}", "give a file of `cryoweave detect export`"
        ) from error


def _norm_names(state: Mapping[str, Any]) -> list[str]:
    norms = [name.removesuffix(".running_var") for name in state if name.endswith(".running_var")]
    return [f"{norm}.{part}" for norm in norms for part in NORM_PARTS]


def _packed_norms(state: Mapping[str, NDArray[np.float64]]) -> str:
    values = np.concatenate([state[name].ravel() for name in _norm_names(state)]).astype(np.float32)
    return base64.b64encode(values.tobytes()).decode("ascii")
