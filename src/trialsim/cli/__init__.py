"""The command line: one command a file, heavy imports inside the functions."""

from trialsim.cli.app import main

__all__ = ["main"]
