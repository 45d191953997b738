"""page: run files -> one HTML file with all tables and plots, which needs nothing else.

Every text of a run is escaped by the template; the script makes text of it, never markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.runs import gather
from bench.runs.committed import REFERENCE
from bench.runs.files import RunFileError, write_whole
from bench.runs.run_file import Run
from bench.runs.track import Track

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 5_000_000
"""A page above this size is not written: a phone has to open it."""


def write(files: Sequence[Path], output: Path, committed: Path, track: Track) -> str:
    """Write the page of the runs, or of the committed one, and say what is in it.

    RunFileError where the page would be too large; then nothing is written.
    """
    if output.is_dir():
        raise IsADirectoryError(f"{output}: is a folder, expected the name of an HTML file")
    shown = gather.told_apart(gather.load_all(files or [committed / REFERENCE]))
    content = made(shown, track).encode()
    if len(content) > MAX_BYTES:
        raise RunFileError(
            f"{output}: would have {len(content) / 1e6:.1f} MB with {len(shown)} runs, more than "
            f"{MAX_BYTES / 1e6:g} MB: give fewer runs, or shorten them with "
            "`python -m bench keep --brief`"
        )
    write_whole(output, content)
    records = sum(len(run.accuracy) for run in shown)
    count = f"{len(shown)} run{'s' * (len(shown) != 1)}"
    return f"{output}: {count}, {records:,} records, {len(content) / 1e6:.1f} MB"


def made(shown: Sequence[Run], track: Track) -> str:
    """The page of the runs, oldest first."""
    from bench.show import page_data, page_plots, tables
    from bench.subjects.subject import printable

    drawn = list(track(page_plots.drawn(shown), page_plots.count(shown)))
    kinds = {kind: (page_plots.of_kind(kind).title, how) for kind, how in page_plots.KINDS.items()}
    present = {plot.kind for plot in drawn}
    return _filled(
        data=page_data.data(shown),
        headlines=[(run.label, *tables.headline_rows(run)) for run in shown],
        sources=[(printable(tables.provenance(run), 400), run.sha256) for run in shown],
        kinds={kind: texts for kind, texts in kinds.items() if kind in present},
        panels=[plot for plot in drawn if plot.operation],
        by_version=[(page_plots.BY_VERSION[p.kind], p.svg) for p in drawn if not p.operation],
        palettes=(page_plots.palette(), page_plots.palette(page_plots.DARK, 4.5)),
        dark=page_plots.DARK,
    )


def _filled(**content: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    files = {
        name: (TEMPLATES / f"page.{name}").read_text(encoding="utf-8") for name in ("css", "js")
    }
    return environment.get_template("page.html.j2").render(**content, **files)
