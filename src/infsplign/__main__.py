"""`python -m infsplign`: the same as the command `infsplign`."""

from infsplign.cli import main

main()
