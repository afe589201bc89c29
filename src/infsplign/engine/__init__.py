"""One guided pass and one guided step, for any denoiser: torch, but no diffusers.

`guidance` runs the denoiser and returns the gradient, `step_plan` decides which steps are guided, `shift` turns the gradient into what
is added to the prediction, `config` holds the options.
"""
