"""The pins of the image: complete, hashed, in the ranges that the project names, and what the Dockerfile installs."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("example", "baselines", "cuda12")
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def pins(name):
    """Version by distribution of a file of pins; every line of it belongs to a pin with hashes."""
    text = (ROOT / "requirements" / name).read_text()
    rest = re.sub(r"^#.*\n", "", PIN.sub("", text), flags=re.MULTILINE)
    assert rest.strip() == "", rest[:200]
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(text)}


def needed():
    """What the image must hold, as requirements."""
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", needed(), ids=str)
def test_image_pins_every_dependency_inside_its_range(requirement):
    assert requirement.specifier.contains(pins("image.txt")[canonicalize_name(requirement.name)])


def test_image_has_the_versions_that_the_tests_passed_with():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    tested = dict(line.split("==") for line in lines)
    image = pins("image.txt")

    differing = {
        name: version for name, version in tested.items() if image.get(canonicalize_name(name), version) != version
    }

    assert differing == {}


def test_builds_use_the_pinned_setuptools():
    build = pins("build.txt")

    assert {"pip", "setuptools"} == {*build}
    assert pins("image.txt")["setuptools"] == build["setuptools"]


def test_dockerfile_installs_nothing_without_hashes():
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install ([^&\n]+)", dockerfile)

    assert len(installs) == 3
    for options in installs:
        assert "--require-hashes" in options or {"--no-deps", "--no-build-isolation"} <= {*options.split()}


def test_base_image_is_named_by_tag_and_digest():
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert bases
    for base in bases:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)


def test_docs_say_how_to_check_the_digest_of_the_very_base_image():
    tag = re.search(r"^FROM (\S+)@", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    words = " ".join((ROOT / "docs" / "cluster.md").read_text().split())

    assert f"docker buildx imagetools inspect {tag}" in words


def test_ci_writes_a_bill_of_materials_before_the_tests_that_names_every_dependency(tmp_path):
    steps = [line.split(" #")[0].strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    recipe = re.search(r"^bill: .*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    command = recipe.replace("$(BIN)/python", sys.executable)

    subprocess.run(command, shell=True, check=True, cwd=tmp_path)

    assert steps.index("make bill") < steps.index("make --jobs 2 --output-sync=target test")
    bill = json.loads((tmp_path / "bill_of_materials.json").read_text())["installed"]
    listed = {canonicalize_name(each["metadata"]["name"]) for each in bill}
    assert {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} <= listed
