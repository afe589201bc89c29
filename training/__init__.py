"""How the shipped models were trained: `python -m training.vae`, then `python -m training.unet`. Not part of the wheel."""
