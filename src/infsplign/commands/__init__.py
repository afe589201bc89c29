"""The work of the commands. `infsplign.cli` parses their options and imports these modules only when a command runs."""
