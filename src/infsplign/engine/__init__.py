"""One guided pass and one guided step, for any denoiser: torch, but no diffusers.

`steps` holds the state of one sampling. `timeline` computes how far along a step is, and `step_plan` decides which steps are guided.
`guidance` runs the denoiser and returns the gradient. `shift` converts the gradient to the shift of the prediction. `checks` reports what
is not finite. `config` holds the options.
"""
