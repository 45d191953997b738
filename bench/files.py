"""Write files whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class MarkerError(ValueError):
    """A document lacks the pair of markers between which something is to be generated."""


def write_whole(path: Path, data: bytes | str) -> None:
    """Write beside, flush, rename: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a result is as readable as any other new file.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def replace_between_markers(document: str, name: str, content: str) -> str:
    """The document with `content` between `<!-- NAME begin -->` and `<!-- NAME end -->`."""
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    if document.count(begin) != 1 or document.count(end) != 1:
        raise MarkerError(f"expected one pair of markers {begin} and {end}")
    before, rest = document.split(begin)
    if end not in rest:
        raise MarkerError(f"{end} stands before {begin}")
    after = rest.split(end)[1]
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"
