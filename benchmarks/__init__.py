"""Measurements: each module is a command that prints a table and keeps it under `docs/measured`."""
