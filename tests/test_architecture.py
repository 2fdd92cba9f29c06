"""The rules for imports and signatures: every contract of import-linter can fail, and no function is too wide."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import combinations, pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NAMES = [contract["name"] for contract in CONTRACTS]

MOST_ARGUMENTS = {"gpu_pricer": 8, "kernels": 12}
"""Of a function, `self` not counted. Kernels also take the arrays that they fill."""

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.relative_to(ROOT)
    for package in MOST_ARGUMENTS
    for path in sorted((ROOT / package).rglob("*.py"))
}
"""The file of every module, by the module's name."""


@pytest.fixture
def lint_imports(tmp_path):
    """lint_imports(pairs) is what import-linter prints for our modules if their only imports are these pairs."""

    def run(pairs):
        for path in FILES.values():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        for importer, imported in pairs:
            with (tmp_path / FILES[importer]).open("a") as file:
                file.write(f"import {imported}\n")
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
        environment = os.environ | {"COLUMNS": "300", "PYTHONPATH": str(tmp_path)}  # one line of output per import
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def verdicts(printed):
    """KEPT or BROKEN by the name of the contract."""
    return dict(re.findall(rf"^({'|'.join(map(re.escape, NAMES))}) (KEPT|BROKEN)$", printed, re.MULTILINE))


def forbidden_imports(contract):
    """Imports that the contract forbids, with the line that import-linter prints for them."""
    kinds = {"layers": upward_imports, "forbidden": outward_imports, "acyclic_siblings": circles}
    return kinds[contract["type"]](contract)


def upward_imports(contract):
    """Each layer imports the one above it, and one independent module of a layer another one."""
    pairs = []
    for container in contract.get("containers", [""]):
        layers = []
        for layer in contract["layers"]:
            names = [f"{container}.{name}".lstrip(".") for name in re.findall(r"[\w.]+", layer)]
            layers.append([name for name in names if name in FILES])
            pairs += combinations(layers[-1], 2) if "|" in layer else []
        pairs += [(low, high) for above, below in pairwise(layers) for low in below for high in above]
    return [([pair], f"{pair[0]} is not allowed to import {pair[1]}:") for pair in pairs]


def outward_imports(contract):
    """Each source module imports each forbidden one."""
    pairs = [(source, other) for source in contract["source_modules"] for other in contract["forbidden_modules"]]
    return [([pair], f"{pair[0]} is not allowed to import {pair[1]}:") for pair in pairs]


def circles(contract):
    """Two modules of a package import each other, in every package that has two."""
    found = []
    for package in FILES:
        children = [name for name in FILES if name.rpartition(".")[0] == package]
        if package.partition(".")[0] in contract["ancestors"] and len(children) > 1:
            pair = tuple(children[:2])
            found.append(([pair, pair[::-1]], f"No cycles are allowed in {package}."))
    return found


def test_modules_without_imports_keep_every_contract(lint_imports):
    assert verdicts(lint_imports([])) == dict.fromkeys(NAMES, "KEPT")


@pytest.mark.parametrize("contract", CONTRACTS, ids=NAMES)
def test_contract_fails_for_every_import_that_it_forbids(lint_imports, contract):
    cases = forbidden_imports(contract)

    printed = lint_imports([pair for pairs, _ in cases for pair in pairs])

    assert verdicts(printed)[contract["name"]] == "BROKEN"
    lines = printed.splitlines()
    assert len(cases) > 1
    assert [line for _, line in cases if line not in lines] == []


@pytest.mark.parametrize(("package", "most"), MOST_ARGUMENTS.items())
def test_no_function_has_too_many_arguments(package, most):
    wide = [
        f"{path}:{node.lineno} {node.name} has {count} arguments"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (count := arguments(node)) > most
    ]

    assert wide == []


def arguments(function):
    """How many arguments a function has besides `self` and `cls`."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_a_module_that_numba_compiles_imports_kernels_before():
    """Numba keeps the features of the processor that are set as it meets the first function: kernels sets them."""
    early = [
        name
        for name, path in FILES.items()
        if name.startswith("gpu_pricer.") and "numba" in (roots := imported_roots(path)) and "kernels" not in roots
    ]

    assert early == []


def imported_roots(path):
    """The packages that a module imports, without what is below them."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found
