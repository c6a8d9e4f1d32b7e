"""Training: the paper's method, from a folder of images to a checkpoint.

Backbones and PTAP (`backbones`, `pooling`, `network`), the self-supervised tasks (`pretext`, `geometry`), the
contrastive attention map loss (`losses`), the data sets (`datasets`), and the loop around them (`config`, `loop`,
`checkpoint`, `validation`, `evaluate`). Needs the extra `train`.
"""
