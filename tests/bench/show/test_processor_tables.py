"""The table of processors says what holds and, where something does not, what."""

from __future__ import annotations

from dataclasses import replace

from bench.measure.processors import Beyond, Processor
from bench.show import processor_tables

ENVIRONMENT = {"byteorder": "big", "python": "3.14.1", "numpy": "2.4.6", "simd_dispatch": []}
RIGHT = Processor("s390x", "QEMU 7.2", ENVIRONMENT, 12, (), 4992, ())
LOUD = Beyond("fast", "log_softmax", "fp64", "uniform", 5.17, 1.2925, ("2 outputs ...",))


def test_a_processor_on_which_all_holds_is_one_row() -> None:
    table = processor_tables.table([RIGHT])
    row = [cell.strip() for cell in table.splitlines()[-1].strip("|").split("|")]
    assert row == ["s390x", "QEMU 7.2", "big", "3.14.1", "2.4.6", "-", "the same", "4,992 of 4,992"]


def test_a_real_processor_and_what_numpy_dispatches_on() -> None:
    environment = {**ENVIRONMENT, "simd_dispatch": ["X86_V3", "X86_V4"]}
    real = replace(RIGHT, name="x86_64", emulator="", environment=environment)
    assert "X86_V3 X86_V4" in processor_tables.table([real])
    assert "QEMU" not in processor_tables.table([real])


def test_what_is_beyond_its_bound_is_named_below_the_table() -> None:
    table = processor_tables.table([RIGHT, replace(RIGHT, name="vax", beyond=(LOUD,))])
    assert "4,991 of 4,992" in table
    assert table.endswith(
        '- vax: `fast` log-softmax fp64 on "uniform": 5.17 ulp, 1.29 times its bound'
    )


def test_what_has_no_figure_is_told_in_its_own_words() -> None:
    flagged = replace(LOUD, ratio=0.5, complaints=("raised the floating-point flag 'a<b'",))
    (_, line) = processor_tables.lines(replace(RIGHT, beyond=(flagged,)))
    assert line.endswith("\"uniform\": raised the floating-point flag 'a&lt;b'")


def test_other_bits_are_named() -> None:
    first, second = processor_tables.lines(replace(RIGHT, differing=("softmax fp16",)))
    assert "1 of 12 digests differ" in first
    assert second == "`exact` differs in softmax fp16"
