"""What `check_real_core.py` runs in ComfyUI itself. The nodes do not import it."""
