"""Write files whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import json
import lzma
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class MarkerError(ValueError):
    """A document lacks the pair of markers between which something is to be generated."""


def check_writable(path: Path) -> None:
    """Make the folder of a file, and raise an OSError now for what would lose a result later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: {'is a folder' if path.is_dir() else 'is not writable'}")


def write_whole(path: Path, data: bytes | str) -> None:
    """Write beside, flush, rename: a reader sees the old file or the new one, never a part."""
    write_all({path: data})


def write_packed(path: Path, data: str) -> None:
    """The same, compressed if the name ends in .xz; the same text has the same bytes."""
    write_whole(path, packed(data) if path.suffix == ".xz" else data)


def packed(text: str) -> bytes:
    """As small as xz makes it."""
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


def write_all(files: Mapping[Path, bytes | str]) -> None:
    """Write several files: all are written beside before the first is renamed.

    An interruption (Ctrl-C) while files are being renamed is held back until the last one is.
    """
    beside: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            beside[path] = _beside(path, data.encode() if isinstance(data, str) else data)
        with _interruption_held_back():
            for path, temporary in beside.items():
                temporary.replace(path)
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)


def _beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a result is as readable as any other new file.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


@contextmanager
def _interruption_held_back() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


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


def to_json(content: dict[str, Any]) -> str:
    """JSON without bare NaN tokens: a ValueError where one would be needed."""
    return json.dumps(content, allow_nan=False, indent=1) + "\n"


class RunFileError(Exception):
    """A file is not a run file of this schema; the message is one line that names it."""
