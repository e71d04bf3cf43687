"""A collection of published networks in a schema of its own, read and compared with what we count."""

from ressearch.reference.comparison import Check, as_table, check_entry, read_entries, summary
from ressearch.reference.structure import read_structure

__all__ = ["Check", "as_table", "check_entry", "read_entries", "read_structure", "summary"]
