"""infsplign inside programs other than diffusers: one folder each. The package does not import them."""
