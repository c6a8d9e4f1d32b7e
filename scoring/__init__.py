"""The folder scorer: finds images, streams them through the network, writes what was found.

An image's way: `inputs` finds it, `plan` says what will be written of it, `fitting` estimates from a sample what the
set has in common, `stages` holds what happens to one image (read, network, boxes, drawings), which `pipeline` overlaps,
`journal` keeps what is finished so that an interrupted run can go on, and `results` writes the files. `scorer` ties
these together, `run` is the command around it. `evaluation` scores the result.
"""
