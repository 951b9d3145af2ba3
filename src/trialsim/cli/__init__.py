"""The command line: one command a file, heavy imports inside the functions."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        from trialsim.cli.app import run_app

        run_app()
    except KeyboardInterrupt as interrupt:
        from trialsim.cli.stopping import exit_code_of

        raise SystemExit(exit_code_of(interrupt)) from None


__all__ = ["main"]
