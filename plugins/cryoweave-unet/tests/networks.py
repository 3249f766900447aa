"""Small ONNX networks of the detector's layout."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from cryoweave_unet.classes import OUTPUTS


def write_network(path, *, outputs=OUTPUTS, name="density", scale=1.0, stride="8", seed=0, inputs=1, task=""):
    """One 3 x 3 x 3 convolution."""
    weight = scale * np.random.default_rng(seed).normal(0, 0.5, (outputs, inputs, 3, 3, 3))
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, ["n", channels, "z", "y", "x"])
        for end, channels in ((name, inputs), ("logits", outputs))
    ]
    nodes = [helper.make_node("Conv", [name, "weight"], ["logits"], kernel_shape=[3] * 3, pads=[1] * 6)]
    graph = helper.make_graph(
        nodes, "small", ends[:1], ends[1:], [numpy_helper.from_array(weight.astype(np.float32), "weight")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {name: value for name, value in (("stride", stride), ("task", task)) if value})
    path.write_bytes(model.SerializeToString())
    return path, weight
