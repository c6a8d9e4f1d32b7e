"""The folder scorer: finds images, streams them through the network, writes what was found.

`inputs` finds the images and names them, `pipeline` overlaps the work, `journal` keeps what is finished so that an
interrupted run can go on, `artefacts` draws, `scorer` ties these together, `evaluation` scores the result.
"""
