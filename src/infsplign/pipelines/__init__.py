"""`infsplign.guide`: guidance of a stock diffusers pipeline.

`guide` reads the prompt, `guidance` attaches to the pipeline and detaches from it, `denoiser` wraps its `forward`, `scheduler` wraps
its `step` and adds the shift there, `call` holds the state of one pipeline call.
"""
