"""The wheel: what is in it, and that it works by itself."""

import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rollingball.app.doctor import EXTRAS, NEEDED

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command, cwd, **environment):
    """A Python command in a process of its own that has to succeed; its output."""
    ran = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, open."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def requirements(wheel):
    """(name, the rest) of each requirement in its metadata, and its extras."""
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(wheel.read(name))
    split = [re.match(r"([A-Za-z0-9._-]+)(.*)", line).groups() for line in metadata.get_all("Requires-Dist")]
    return split, set(metadata.get_all("Provides-Extra"))


def test_the_wheel_holds_the_package_and_its_scenes_and_nothing_else(wheel):
    names = set(wheel.namelist())
    expected = {
        f"rollingball/{path.relative_to(ROOT / 'rollingball')}" for path in (ROOT / "rollingball").rglob("*.py")
    }
    expected |= {f"rollingball/scenes/{path.name}" for path in (ROOT / "scenes").glob("*.toml")}
    expected |= {"rollingball/py.typed", "rollingball/plot/page/card.html"}
    assert len(expected) > 20
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_requirements_have_lower_bounds_and_the_extras_are_there(wheel):
    split, extras = requirements(wheel)
    required = {name for name, rest in split if "extra ==" not in rest}
    assert {"warp-lang", "numpy", "torch", "matplotlib", "msgspec", "safetensors"} <= required
    assert {"rollingball", *required} == set(NEEDED)
    assert all(re.search(r">=\s*\d", rest) for _, rest in split)
    assert {"test", "bench", "experiments", "view", "docs"} <= extras
    assert extras == set(EXTRAS)


def test_the_wheel_rolls_its_demo_outside_the_checkout(wheel, tmp_path):
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    wheel.extractall(installed)
    elsewhere.mkdir()
    where = run("-c", "import rollingball; print(rollingball.__file__)", cwd=elsewhere, PYTHONPATH=str(installed))
    assert Path(where.splitlines()[-1]).is_relative_to(installed)
    run("-m", "rollingball", "demo", "--out", "D", cwd=elsewhere, PYTHONPATH=str(installed))
    left = {path.suffix for path in (elsewhere / "D").iterdir()}
    assert left == {".safetensors", ".png", ".gif", ".json"}
    assert (elsewhere / "D/paths.png").stat().st_size > 10_000
    assert list(elsewhere.iterdir()) == [elsewhere / "D"]
