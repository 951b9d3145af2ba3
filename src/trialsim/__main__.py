"""`python -m trialsim`: the command line."""

from trialsim.cli import main

if __name__ == "__main__":
    main()
