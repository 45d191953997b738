"""page: run files -> one HTML file with all tables and plots, which needs nothing else.

Every text of a run is escaped by the template; the script makes text of it, never markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.judge import as_run
from bench.runs import gather
from bench.runs.committed import REFERENCE
from bench.runs.files import RunFileError, write_whole
from bench.runs.run_file import Run, operations
from bench.runs.track import Track
from bench.show import known_tables

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 5_000_000
"""A page above this size is not written: a phone has to open it."""


def write(
    files: Sequence[Path],
    output: Path,
    committed: Path,
    track: Track,
    labels: Sequence[str] = (),
) -> str:
    """Write the page of the runs, or of the committed one, and say what is in it.

    RunFileError where the page would be too large; then nothing is written.
    """
    if output.is_dir():
        raise IsADirectoryError(f"{output}: is a folder, expected the name of an HTML file")
    shown = gather.told_apart(
        gather.load_all(files or [committed / REFERENCE], labels, as_run.load)
    )
    content = made(shown, track, known_tables.committed(committed)).encode()
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


def made(
    shown: Sequence[Run], track: Track, found: tuple[known_tables.Files, known_tables.Files]
) -> str:
    """The page of the runs, oldest first; the last is shown when it opens.

    `found`: the sweeps and hunts that the largest errors known come from, too.
    """
    from bench.show import choice_tables, page_data, page_plots, tables
    from bench.subjects.subject import printable

    figures = page_plots.by_version(shown)
    drawn = list(track(page_plots.drawn(shown, figures), len(figures)))
    newest_first = shown[::-1]
    return _filled(
        data=page_data.data(newest_first),
        headlines=[
            (run.label, *tables.headline_rows(run, operations(newest_first)))
            for run in newest_first
        ],
        sources=[
            (Path(run.path).name, printable(tables.provenance(run), 400), run.sha256)
            for run in newest_first
        ],
        known=[
            (said, *known_tables.heads_and_rows(known))
            for said, known in (
                ("any finite logits", known_tables.largest(newest_first[0], *found)),
                ("rows that need no shift", known_tables.in_range(found[1])),
            )
            if known
        ],
        choice=choice_tables.sortable(newest_first[0]),
        by_version=drawn,
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
    css, *js = (
        (TEMPLATES / name).read_text(encoding="utf-8")
        for name in ("page.css", "plots.js", "headline.js", "choice.js", "page.js")
    )
    template = environment.get_template("page.html.j2")
    return template.render(**content, css=css, js="\n".join(js))
