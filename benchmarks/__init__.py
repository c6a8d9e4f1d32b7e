"""What the pooling, the precision and the folder scorer cost, measured on the machine at hand.

python -m benchmarks --help
"""

import colocalization  # noqa: F401 - before ONNX Runtime, whose reports to Microsoft it turns off
