"""Files that appear whole: a killed process or a power failure leaves the old one or the new one."""

import os
from pathlib import Path


def write_whole(file: Path, content: bytes | memoryview) -> None:
    """Replace a file by its new content, which is on the disk before it takes the file's name.

    Raises:
        OSError: If it cannot be written; what was there stays, and nothing else is left.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_bytes(content)
        move_whole(partial, file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def move_whole(written: Path, file: Path) -> None:
    """Replace a file by another one of the same disk, once that is on the disk."""
    with open(written, "rb") as opened:
        os.fsync(opened.fileno())
    os.replace(written, file)
