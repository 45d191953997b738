"""Every example in a docstring runs, and no package imports more than it may."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench
import numerics

ROOT = Path(__file__).parents[1]
MODULES = [
    name
    for package in (numerics, bench)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith(("conftest", "test_accuracy", "test_throughput"))
] + ["numerics"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_examples_of_documents_run(document: Path) -> None:
    if document.stem == "bf16":
        pytest.importorskip("ml_dtypes")
    found = doctest.testfile(str(document), module_relative=False, encoding="utf-8")
    assert found.failed == 0


def test_some_documents_have_examples() -> None:
    assert sum(">>> " in document.read_text(encoding="utf-8") for document in DOCUMENTS) >= 2


def test_public_functions_of_methods_have_examples() -> None:
    for method in numerics.METHODS.values():
        for operation in numerics.OPERATIONS:
            docstring = getattr(method, operation).__doc__ or ""
            assert ">>>" in docstring, f"{method.name}_{operation}"


def _imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    output = done.stdout
    return {name.partition(".")[0] for name in output.split()}


def test_numerics_imports_numpy_and_the_standard_library_only() -> None:
    third_party = _imported_by("import numerics") - _imported_by("import numpy")
    assert third_party - set(sys.stdlib_module_names) == {"numerics"}


def test_measuring_needs_neither_pandas_nor_matplotlib() -> None:
    measured = _imported_by("import bench.conftest, bench.test_accuracy, bench.test_throughput")
    assert not measured & {"pandas", "matplotlib", "scipy", "tabulate"}
