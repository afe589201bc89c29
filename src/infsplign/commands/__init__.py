"""What the commands do. `infsplign.cli` reads their options and imports these modules only when a command runs."""
