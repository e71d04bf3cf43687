"""`python -m ressearch` is the command `ressearch`."""

from ressearch.cli import main

main()
