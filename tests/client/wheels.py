"""The client's wheel, and an environment with nothing in it but that and what it asks for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.test_requirements import ROOT


def build(folder: Path) -> Path:
    """Build the wheel from a copy, since what builds leaves files behind."""
    shutil.copytree(ROOT / "client", folder / "client", ignore=shutil.ignore_patterns("__pycache__"))
    backend = "import setuptools.build_meta as backend; backend.build_wheel('..')"
    subprocess.run([sys.executable, "-c", backend], cwd=folder / "client", check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def closure(name: str, names: set[str] | None = None) -> set[str]:
    """A distribution and all that it needs, extras left out."""
    names = set() if names is None else names
    if name not in names:
        names.add(name)
        for line in distribution(name).requires or []:
            wish = Requirement(line)
            if wish.marker is None or wish.marker.evaluate({"extra": ""}):
                closure(wish.name, names)
    return names


def install(wheel: Path, folder: Path, *besides: str) -> Path:
    """Make an environment with pip's own installation of the wheel, and return its Python.

    Parameters:
      besides: distributions that are put there with all that they need. They come from this environment, as what the
        wheel needs does, since a test does not ask for a network.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for name in {package for wanted in ("httpx2", *besides) for package in closure(wanted)}:
        for file in distribution(name).files or []:
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), packages / file)
    # With its dependencies: pip refuses when what is there does not do.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    return python
