"""Change the code a little, and see whether the tests notice: a seeded sample, by Cosmic Ray.

    tox -e mutants                 # two hundred, in ten minutes; again, to go on where it stopped
    tox -e mutants -- --sample 0   # all of them: hours

Cosmic Ray makes the mutants, runs the tests and keeps what came of them; here is which, with what,
and in how many copies of the project at a time. mutants.toml has modules, tests and equivalents.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import multiprocessing
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test, mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, WorkItem, WorkResult

ROOT = Path(__file__).parents[1]
WANTED = 0.95
TIMEOUT = 600.0
"""Seconds after which tests that do not end have noticed."""
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
Plan: TypeAlias = Mapping[str, Any]
Change: TypeAlias = tuple[str, str, str]
"""Module, the lines that were, the lines that came of them."""


class WithoutTypes(ast.NodeTransformer):
    """Annotations and protocols are never evaluated here, so no test could see them change."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        is_protocol = any(isinstance(b, ast.Name) and b.id == "Protocol" for b in node.bases)
        return ast.Pass() if is_protocol else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def meaning(code: str) -> str:
    """What a module does, whatever types it names."""
    return ast.dump(WithoutTypes().visit(ast.parse(code)))


def change(spec: MutationSpec) -> Change | None:
    """What a mutation changes; None where that is nothing, or no Python."""
    code = (ROOT / spec.module_path).read_text(encoding="utf-8")
    operator = get_operator(spec.operator_name)(**spec.operator_args)
    mutated = mutate_code(code, operator, spec.occurrence)
    try:
        if mutated is None or meaning(mutated) == meaning(code):
            return None
    except SyntaxError:
        return None
    first, last = spec.start_pos[0], spec.end_pos[0]
    after = last + mutated.count("\n") - code.count("\n")
    lines = code.splitlines()[first - 1 : last], mutated.splitlines()[first - 1 : after]
    was, becomes = (" ".join(" ".join(part).split()) for part in lines)
    return spec.module_path.as_posix(), was, becomes


def opened(path: Path, plan: Plan, modules: Sequence[str]) -> WorkDB:
    """The session of these sources: the one that is there, or a new one."""
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in modules)).hexdigest()
    session = path.with_name(f"{path.stem}-{digest[:12]}.sqlite")
    if session.exists():
        return WorkDB(session, WorkDB.Mode.open)
    tests = dict.fromkeys(test for name in modules for test in plan["modules"][name])
    # Tests that fail anyhow would kill everything.
    subprocess.run([*PYTEST, "-n", "auto", *tests], cwd=ROOT, check=True)
    session.parent.mkdir(parents=True, exist_ok=True)
    database = WorkDB(session, WorkDB.Mode.create)
    init([Path(name) for name in modules], database, {})
    return database


def chosen(items: Sequence[WorkItem], plan: Plan, seed: int, count: int) -> dict[str, Change]:
    """As many as are wanted, in an order that the seed decides; without equivalent ones."""
    equivalent = {(e["module"], e["was"], e["becomes"]) for e in plan.get("equivalent", ())}
    ordered = sorted(items, key=lambda item: _place(item.mutations[0]))
    random.Random(seed).shuffle(ordered)
    found: dict[str, Change] = {}
    for item in ordered:
        if count and len(found) == count:
            break
        what = change(item.mutations[0])
        if what is not None and what not in equivalent:
            found[item.job_id] = what
    return found


def _place(spec: MutationSpec) -> tuple[Any, ...]:
    return str(spec.module_path), spec.operator_name, spec.occurrence


def _begin(folder: str) -> None:
    """A copy of what git knows, in which a process may change what it likes."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    os.chdir(copy)


def _try(job: tuple[WorkItem, Sequence[str]]) -> tuple[str, WorkResult]:
    item, tests = job
    return item.job_id, mutate_and_test(item.mutations, shlex.join([*PYTEST, *tests]), TIMEOUT)


def tried(
    items: Sequence[WorkItem], plan: Plan, workers: int, minutes: float
) -> Iterator[tuple[str, WorkResult]]:
    """What became of each, as long as there is time."""
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    jobs = [(item, plan["modules"][item.mutations[0].module_path.as_posix()]) for item in items]
    with tempfile.TemporaryDirectory() as folder:
        pool = multiprocessing.get_context("spawn").Pool(workers, _begin, (folder,))
        with pool:
            for found in pool.imap_unordered(_try, jobs):
                yield found
                if time.monotonic() > end:
                    break


def report(which: Mapping[str, Change], results: Mapping[str, WorkResult]) -> int:
    """What survived, and how many did not; 1 where too many did."""
    known = {job: results[job] for job in which if job in results}
    alive = [job for job, result in known.items() if not result.is_killed]
    for module, was, becomes in sorted(which[job] for job in alive):
        print(f"survived in {module}:\n  - {was}\n  + {becomes}")
    killed = len(known) - len(alive)
    share = killed / len(known) if known else 0.0
    print(f"{killed} of {len(known)} killed ({share:.1%}), {len(which) - len(known)} not yet tried")
    return int(share < WANTED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a sample, or go on with it, and say what survived."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--sample", type=int, default=200, help="how many; 0: all (default: 200)")
    parser.add_argument("--seed", type=int, default=42, help="which ones (default: 42)")
    parser.add_argument("--minutes", type=float, default=10, help="then stop; 0: never")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="copies at a time")
    parser.add_argument("--module", help="of this one alone")
    parser.add_argument("--again", action="store_true", help="try what survived once more")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    plan = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text(encoding="utf-8"))
    modules = [options.module] if options.module else list(plan["modules"])
    session = ROOT / "results" / "local" / "mutants.sqlite"
    with contextlib.closing(opened(session, plan, modules)) as database:
        which = chosen(database.work_items, plan, options.seed, options.sample)
        known = {job: r for job, r in database.results if r.is_killed or not options.again}
        by_id = {item.job_id: item for item in database.work_items}
        items = [by_id[job] for job in which if job not in known]
        for job, result in tried(items, plan, options.workers, options.minutes):
            database.set_result(job, result)
        return report(which, dict(database.results))


if __name__ == "__main__":
    sys.exit(main())
