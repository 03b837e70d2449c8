"""The rules of the code: imports run one way, functions stay short, figures in the docs can be reproduced."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "captioner", "retrieval", "webui", "training", "bench")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FUNCTION = 50
LONGEST_FILE = 400


def test_imports_run_one_way() -> None:
    """The layers are named in pyproject.toml."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports within functions count too; `TopologicalSorter` names the circle."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    TopologicalSorter({name: _imports(path) & set(modules) for name, path in modules.items()}).prepare()


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and what it imports from them as if these were modules."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{node.name} is too long"


@pytest.mark.parametrize("module", ["retrieval.commands.search", "retrieval.commands.library"])
def test_text_search_imports_no_deep_learning_framework_and_no_other_database(module: str) -> None:
    heavy = {"tensorflow", "keras", "torch", "jax", "pymilvus", "milvus_lite", "grpc", "pandas", "psycopg"}
    heavy |= {"av", "dlib", "mtcnn", "sklearn", "retrieval.index.remote", "retrieval.vectors.milvus"}
    heavy |= {"retrieval.index.candidates"}
    code = f"import sys, {module}, retrieval.library; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_nothing_unpickles_or_evaluates() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "marshal", "shelve", "dill"} & set(names), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
