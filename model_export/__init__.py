"""From a trained or pretrained network to one ONNX file with the attention pooling in its graph.

`source` finds the network, `pooling_graph` writes the pooling in plain ONNX operators, `graph` puts the file together
and `parity` runs it on real images beside torch.
"""

import colocalization  # noqa: F401 - before ONNX Runtime, whose reports to Microsoft it turns off
