"""Commands as a user runs them, in this process."""

from cli.conftest import command, folder

__all__ = ["command", "folder"]
