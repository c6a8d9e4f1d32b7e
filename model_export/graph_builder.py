"""Writing ONNX graphs node by node."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["GraphBuilder"]


@dataclass
class GraphBuilder:
    """Nodes and constants of a graph in the making, with unique names.

    Attributes:
        prefix: Start of every name, so that they do not meet those of the network.
        nodes: The nodes in order.
        constants: The constant tensors.
    """

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant tensor and return its name."""
        name = f"{self.prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def number(self, value: float) -> str:
        """Add a float32 scalar and return its name."""
        return self.constant(np.asarray(value, dtype=np.float32))

    def axes(self, *axes: int) -> str:
        """Add a list of axes (or any small integers) as int64 and return its name."""
        return self.constant(np.asarray(axes, dtype=np.int64))

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output of interest and return that output's name."""
        name = output or f"{self.prefix}_{len(self.nodes)}_{operator}"
        # TopK also gives indices; naming every output keeps the checker content.
        outputs = [name, f"{name}_indices"] if operator == "TopK" else [name]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=f"node_{name}", **attributes))
        return name

    def branch(self, name: str) -> "GraphBuilder":
        """An empty builder for a branch of `choose`; its nodes may use every name of this one."""
        return GraphBuilder(f"{self.prefix}_{name}")

    def choose(
        self, condition: str, then: tuple["GraphBuilder", str], otherwise: tuple["GraphBuilder", str], output: str
    ) -> str:
        """Add an `If`: the one branch or the other is run, as the condition says.

        Args:
            condition: Name of a bool tensor of one element.
            then: The branch taken where it is true, and the name of its result, a float32 tensor.
            otherwise: The branch taken where it is false, likewise.
            output: Name of the result.
        """
        return self.add("If", condition, output=output, then_branch=_subgraph(*then), else_branch=_subgraph(*otherwise))


def _subgraph(builder: GraphBuilder, result: str, shape: Sequence[int] | None = None) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, shape)
    return helper.make_graph(builder.nodes, builder.prefix, [], [value], builder.constants)
