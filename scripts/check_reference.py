"""Count the networks of a reference collection and compare with the numbers that are printed there.

python scripts/check_reference.py FILE [--build]

For every entry of the YAML file: its `structure` becomes an architecture, whose parameters, parameters without norms
and MACs are counted by arithmetic; --build makes the module too, on the meta device, and counts its tensors and what
torch's flop counter sees. A number that an entry leaves out is shown, but not compared.

Exit status: 0 if all entries are exact, 1 if one differs or is refused, 2 if the file cannot be read.
"""

import argparse
import sys
from pathlib import Path

from ressearch.reference import as_table, check_entry, read_entries, summary
from ressearch.report.console import new_console


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="YAML file in the schema of the reference collection")
    parser.add_argument("--build", action="store_true", help="also build every module and count again")
    arguments = parser.parse_args()
    try:
        entries = read_entries(arguments.file)
    except ValueError as error:
        print(f"check_reference: {error}", file=sys.stderr)
        sys.exit(2)
    checks = [check_entry(entry, number, with_build=arguments.build) for number, entry in enumerate(entries, start=1)]
    new_console().print(as_table(checks))
    print(summary(checks, with_build=arguments.build))
    sys.exit(0 if all(check.verdict == "exact" for check in checks) else 1)


if __name__ == "__main__":
    main()
