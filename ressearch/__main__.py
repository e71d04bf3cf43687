"""The process of the command line: `ressearch`, or `python -m ressearch`."""

import sys

from ressearch import ending


def main() -> None:
    """Run the command line; signals are caught before its modules load."""
    with ending.catching(ends_process=True):
        try:
            from ressearch.cli import main as run

            run()
        except KeyboardInterrupt:
            sys.exit(ending.exit_code())


if __name__ == "__main__":
    main()
