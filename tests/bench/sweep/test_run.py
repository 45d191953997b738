"""A sweep has the same bytes whoever runs it, and refuses what does not belong to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.inputs.cases import at_effort
from bench.subjects import specs
from bench.sweep import chunk, finished, run, sweep_file
from bench.sweep.chunk import Task
from bench.sweep.run import Plan
from bench.sweep.sweep_file import SweepError
from bench.truth import audit
from bench.truth.exact import DisagreementError
from numerics import FORMATS

ROOT = Path(__file__).parents[3]
PLAN = Plan(
    ("exact", "stable"), ("softmax", "log_sum_exp"), ("x0", "ulps:3"), ("fp16",), (0, 6), 2**12
)


class Immediate(Executor):
    """Runs what it is given at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def swept(
    output: Path, executor: Executor, plan: Plan = PLAN, workers: int = 2, order: int = 1
) -> bytes:
    """The bytes of the file."""
    subjects, _ = specs.load(plan.subjects)
    tasks = plan.tasks()[::order]
    found = dict(run.run(tasks, subjects, executor, workers, finished.folder_of(output)))
    sweep_file.write(output, run.content(found, subjects))
    return output.read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return swept(tmp_path_factory.mktemp("alone") / "sweep.json", Immediate())


def test_backwards_and_in_threads(expected: bytes, tmp_path: Path) -> None:
    assert swept(tmp_path / "backwards.json", Immediate(), order=-1) == expected
    assert swept(tmp_path / "many.json", Immediate(), workers=50, order=-1) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_in_processes(expected: bytes, tmp_path: Path, workers: int) -> None:
    with run.processes(workers) as executor:
        assert swept(tmp_path / "sweep.json", executor, workers=workers) == expected


KILLED = """
import sys
from pathlib import Path
from tests.bench.sweep.test_run import PLAN, run, swept
if __name__ == "__main__":
    with run.processes(1) as executor:
        swept(Path(sys.argv[1]), executor, workers=1)
"""


def test_after_kill_9_and_a_second_start(expected: bytes, tmp_path: Path) -> None:
    output, script = tmp_path / "sweep.json", tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(output)], env=environment, start_new_session=True
    )
    folder = finished.folder_of(output)
    while len(list(folder.glob("*.json"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in folder.glob("x0*.json")}
    assert not output.exists()
    assert 3 <= len(done) < len(PLAN.tasks())
    assert swept(output, Immediate()) == expected
    assert {path: path.stat().st_mtime_ns for path in done} == done  # none was made again


def test_a_worker_that_was_ended_is_said_in_a_line(tmp_path: Path) -> None:
    class Broken(Immediate):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenProcessPool())
            return future

    with pytest.raises(SweepError, match="a worker was ended from outside"):
        swept(tmp_path / "sweep.json", Broken())


def test_on_a_dask_cluster_of_which_one_worker_is_killed(expected: bytes, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:
        subjects, _ = specs.load(PLAN.subjects)
        output, found = tmp_path / "sweep.json", {}
        with run.cluster(local.scheduler_address) as (executor, workers):
            assert workers == 2
            folder = finished.folder_of(output)
            for task, one in run.run(PLAN.tasks(), subjects, executor, workers, folder):
                found[task] = one
                if len(found) == 2:
                    os.kill(next(iter(local.workers.values())).pid, signal.SIGKILL)
        sweep_file.write(output, run.content(found, subjects))
    assert output.read_bytes() == expected


def test_parts_of_other_runs_are_merged(expected: bytes, tmp_path: Path) -> None:
    parts = [(0, 2), (5, 6), (2, 5)]
    for first, end in parts:
        plan = replace(PLAN, chunks=(first, end))
        swept(tmp_path / f"{first}.json", Immediate(), plan)
    files = [tmp_path / f"{first}.json" for first, _ in parts]
    sweep_file.write(tmp_path / "all.json", sweep_file.merged_files(files))
    assert (tmp_path / "all.json").read_bytes() == expected
    with pytest.raises(SweepError, match=r"0\.json and .*5\.json: a gap, chunks 2:5 of"):
        sweep_file.merged_files(files[:2])
    swept(tmp_path / "more.json", Immediate(), replace(PLAN, chunks=(1, 3)))
    with pytest.raises(SweepError, match=r"more\.json: an overlap, chunks 1:2 of"):
        sweep_file.merged_files([*files, tmp_path / "more.json"])


def test_a_packed_file_is_small_and_says_the_same(expected: bytes, tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_bytes(expected)
    plain = sweep_file.load(tmp_path / "plain.json")
    sweep_file.write(tmp_path / "packed.json.xz", plain)
    assert 2 * (tmp_path / "packed.json.xz").stat().st_size < len(expected)
    assert [*sweep_file.all_of(tmp_path).values()] == [plain, plain]


def test_files_of_other_subjects_and_operations_are_merged(tmp_path: Path) -> None:
    plan = replace(PLAN, families=("x0",), chunks=(0, 2))
    kinds = [
        (("exact",), ("softmax",)),
        (("stable",), ("softmax",)),
        (("exact",), ("log_softmax",)),
    ]
    files = []
    for number, (subjects, operations) in enumerate(kinds):
        files.append(tmp_path / f"{number}.json")
        swept(files[-1], Immediate(), replace(plan, subjects=subjects, operations=operations))
    _change(files[1], lambda content: content["made"].update(subjects={"stable": "7"}))
    merged = sweep_file.merged_files(files)
    cells = [(p["cells"][0]["operation"], p["cells"][0]["subject"]) for p in merged["parts"]]
    assert cells == [("log_softmax", "exact"), ("softmax", "exact"), ("softmax", "stable")]
    assert merged["made"]["subjects"] == {"stable": "7"}
    assert sweep_file.merged_files(files[::-1]) == merged

    swept(tmp_path / "both.json", Immediate(), replace(plan, chunks=(1, 3)))
    said = r"0\.json and .*both\.json: an overlap, chunks 1:2 of x0 for softmax of exact"
    with pytest.raises(SweepError, match=said):
        sweep_file.merged_files([*files, tmp_path / "both.json"])
    _change(files[2], lambda content: content["made"].update(subjects={"stable": "8"}))
    with pytest.raises(SweepError, match=r"2\.json: made with subjects .*8.*, not .*7"):
        sweep_file.merged_files(files)


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["made"].update(numpy="1.26.0"), "made with numpy 1.26.0, not"),
        (lambda c: c["made"].update(code="0" * 64), "made with code 0000"),
        (lambda c: c["task"].update(subjects=["naive"]), r"a chunk of subjects \['naive'\]"),
        (lambda c: c["task"].update(number=7), "a chunk of number 7"),
        (lambda c: c.pop("made"), "not a finished chunk"),
    ],
)
def test_finished_chunks_of_something_else_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    output, plan = tmp_path / "sweep.json", replace(PLAN, families=("x0",), chunks=(0, 2))
    swept(output, Immediate(), plan)
    _change(finished.folder_of(output) / "x0-fp16-000001.json", change)
    with pytest.raises(SweepError, match=f"x0-fp16-000001.json: {said}"):
        swept(output, Immediate(), plan)


def test_files_of_other_versions_are_refused(tmp_path: Path) -> None:
    for first in (0, 1):
        plan = replace(PLAN, families=("x0",), chunks=(first, first + 1))
        swept(tmp_path / f"{first}.json", Immediate(), plan)
    _change(tmp_path / "1.json", lambda content: content["made"].update(libc="musl"))
    with pytest.raises(SweepError, match=r"1\.json: made with libc musl, not .*, as .*0\.json was"):
        sweep_file.merged_files([tmp_path / "0.json", tmp_path / "1.json"])
    (tmp_path / "2.json").write_text("{}")
    with pytest.raises(SweepError, match=r"2\.json: not a file that"):
        sweep_file.merged_files([tmp_path / "2.json"])


def test_all_of_a_family_is_exhaustive(tmp_path: Path) -> None:
    plan = replace(PLAN, families=("x0",), chunks=None, operations=("softmax",))
    swept(tmp_path / "all.json", Immediate(), plan)
    (part,) = sweep_file.load(tmp_path / "all.json")["parts"]
    assert part["chunks"] == [0, 16]
    assert part["exhaustive"]
    assert part["rows"] == 2**16
    exact = part["cells"][0]
    assert (exact["subject"], exact["summary"]["misrounded"]) == ("exact", 0)
    assert not sweep_file.part_of(chunk.run(plan.tasks()[0]))["exhaustive"]


def test_chunks_that_are_not_there_are_refused() -> None:
    with pytest.raises(SweepError, match="x0 in fp16: has chunks 0:16, not 3:17"):
        replace(PLAN, families=("x0",), chunks=(3, 17)).tasks()
    with pytest.raises(SweepError, match="ulps:3: does not end; say which chunks"):
        replace(PLAN, chunks=None).tasks()


# --- Planted defects -----------------------------------------------------------------------------

DEFECT = """
import numpy as np
from numerics.stable import stable_softmax

def softmax(x):
    p = stable_softmax(x)
    hit = x[:, 0].view(np.uint32) == 0x3f9d3c5a
    p[hit, 1] *= np.float32(1 + 2.0**-19)
    return p
"""
BITS = 0x3F9D3C5A


def test_one_x_in_4_294_967_296_is_found_by_its_chunk_and_is_in_no_case(tmp_path: Path) -> None:
    path = tmp_path / "defect.py"
    path.write_text(DEFECT)
    task = Task((f"{path}:softmax",), ("softmax",), "x0", "fp32", BITS >> 16, 2**16)
    (cell,) = chunk.run(task)["cells"]
    worst = cell["summary"]["worst"][0]
    assert worst["row"] == BITS
    assert float.fromhex(worst["ulp"]) > 16
    others = [float.fromhex(witness["ulp"]) for witness in cell["summary"]["worst"][1:]]
    assert max(others) < 4
    number = np.array(BITS, np.uint32).view(np.float32)
    for case in at_effort("full"):
        for batch in case.batches(FORMATS["fp32"]) if "fp32" in case.formats else ():
            assert not (batch.x[:, 0] == number).any()


WRONG = """
import numpy as np

def softmax(x):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("raise ValueError('no')", "raised", "ValueError: no"),
        ("return x[:, :2]", "raised", "TypeError: returned float16 of shape"),
        ("return np.full_like(x, np.nan)", "nan", ""),
    ],
)
def test_subjects_that_fail_are_counted(tmp_path: Path, body: str, kind: str, message: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(WRONG.format(body=body))
    task = Task((f"{path}:softmax",), ("softmax",), "normal:3:2", "fp16", 0, 2**12)
    (cell,) = chunk.run(task)["cells"]
    summary = cell["summary"]
    assert summary["outputs"] == 3 * 2**12
    assert summary["failures"] == {kind: 3 * 2**12}
    assert summary["message"].startswith(message)


def test_the_oracle_is_audited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = chunk.certified.evaluate

    def off(*arguments: Any) -> Any:
        exact = given(*arguments)
        return replace(exact, fraction=exact.fraction + 2.0**-18)

    monkeypatch.setattr(chunk.certified, "evaluate", off)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisagreementError, match="kept in"):
        chunk.run(PLAN.tasks()[0])
    assert len(list((tmp_path / audit.KEEP).glob("disagreement-*.json"))) == 1


# --- The command ---------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "all.json"
    arguments = ["--operation", "softmax", "--format", "fp16", "--family", "x0", "--workers", "1"]
    assert main(["sweep", "exact", *arguments, "-o", str(output)]) == 0
    said = capsys.readouterr()
    assert "x0 fp16, 65,536 rows (exhaustive)" in said.out
    assert "0 of 131,072" in said.out
    assert "131,072 outputs in 1 chunks" in said.err
    assert main(["sweep", "--merge", str(output), "-o", str(tmp_path / "again.json")]) == 0
    assert (tmp_path / "again.json").read_bytes() == output.read_bytes()
    assert main(["sweep", "exact", "--family", "pairs", "-o", str(output)]) == 2
    assert "'pairs': of formats of 16 bits, not of fp32" in capsys.readouterr().err
