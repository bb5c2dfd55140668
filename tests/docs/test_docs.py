"""The pages in docs/ are true: they build without a warning, every example runs, and the whole public face is there."""

import doctest
import re
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import rollingball as rb
from rollingball.app import cli, commands
from rollingball.app.scene import load_scene

FOLDER = Path(__file__).parents[2] / "docs"
NAMES = commands.COMMANDS
PAGES = sorted(FOLDER.rglob("*.md"))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = re.compile(r"^```(\{?\w*\}?).*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# every fence is of a kind that a test here, or the build, runs or reads
KINDS = {"pycon", "toml", "sh", "{picture}", "{toctree}", "{literalinclude}", "{math}", "{eval-rst}", "{list-table}"}


def named(path):
    return str(path.relative_to(FOLDER))


def fences(path, language):
    return [found[2] for found in FENCE.finditer(path.read_text()) if found[1] == language]


def console(text):
    """A page with nothing left but its pycon fences, each where it was, so that a failure names the line."""
    kept, last = [], 0
    for found in FENCE.finditer(text):
        if found[1] == "pycon":
            kept += ["\n" * text.count("\n", last, found.start(2)), found[2]]
            last = found.end(2)
    return "".join(kept)


def test_the_reader_of_fences_keeps_lines():
    text = "# x\n\n```pycon\n>>> 1 + 1\n2\n```\n\n```toml\na = 1\n```\ntext\n```pycon\n>>> 2\n2\n```\n"
    assert console(text).splitlines() == ["", "", "", ">>> 1 + 1", "2", *[""] * 6, "", ">>> 2", "2"]


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_fence_is_of_a_kind_that_is_tested(path):
    text = path.read_text()
    assert {found[1] for found in FENCE.finditer(text)} <= KINDS
    assert 2 * len(FENCE.findall(text)) == len(re.findall(r"^```", text, re.MULTILINE))


@pytest.mark.parametrize("path", [path for path in PAGES if fences(path, "pycon")], ids=named)
def test_examples_run_and_say_what_the_page_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(console(path.read_text()), {}, named(path), str(path), 0)
    report = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(report)


@pytest.mark.parametrize("path", [path for path in PAGES if fences(path, "toml")], ids=named)
def test_scenes_are_scenes(path, tmp_path):
    for number, text in enumerate(fences(path, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        load_scene(file).check()


def test_commands_exist(monkeypatch):
    kinds, called = [kind for kind in vars(commands).values() if getattr(kind, "__name__", "").lower() in NAMES], []
    assert len(kinds) == len(NAMES)
    for kind in kinds:  # they are parsed here and not run: one serves a page until it is interrupted
        monkeypatch.setattr(kind, "__call__", lambda self, overrides: called.append(type(self)))
    lines = [line.split("#")[0] for path in PAGES for block in fences(path, "sh") for line in block.splitlines()]
    for line in lines:
        if line.startswith("rollingball "):
            cli.main(shlex.split(line)[1:])
    assert set(called) == set(kinds), "the pages show every command"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages, built with warnings as errors."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / "trees"]
    done = subprocess.run([*command, FOLDER, out], capture_output=True, text=True, timeout=600, cwd=FOLDER.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def inventory(built):
    """The Python names that have an entry."""
    raw = (built / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split()[0] for line in zlib.decompress(raw).decode().splitlines() if " py:" in line}


@pytest.mark.slow
def test_the_whole_public_face_is_in_the_pages(built):
    there = inventory(built)
    wanted = {f"rollingball.{name}" for name in rb.__all__ if name != "surfaces"}
    for part in ("surfaces", "plot", "pytorch"):
        module = getattr(rb, part)
        twice = {name for name in module.__all__ if getattr(rb, name, None) is getattr(module, name)}
        wanted |= {f"rollingball.{part}.{name}" for name in set(module.__all__) - twice - {"CATALOGUE"}}
    assert len(wanted) > 100
    assert wanted - there == set(), "not in docs/api"


@pytest.mark.slow
def test_every_page_is_reached_and_holds_its_pictures(built):
    for path in PAGES:
        text = (built / path.relative_to(FOLDER).with_suffix(".html")).read_text()
        assert text.count("<figure") == len(fences(path, "{picture}"))
        for source in re.findall(r'<img[^>]* src="([^"]+\.(?:png|gif))"', text):
            picture = (built / path.relative_to(FOLDER).parent / source).resolve()
            assert picture.read_bytes().startswith((b"\x89PNG", b"GIF89a"))


@pytest.mark.slow
def test_on_a_screen_of_1200_pixels_the_navigation_stands_beside_the_text(built):
    style = (built / "_static" / "alabaster.css").read_text()
    stacked = [int(width) for width in re.findall(r"@media screen and \(max-width: (\d+)px\)", style)]
    assert stacked
    assert max(stacked) < 1200


@pytest.mark.slow
def test_mathematics_and_tables_are_rendered(built):
    pages = {path: (built / path.relative_to(FOLDER).with_suffix(".html")).read_text() for path in PAGES}
    assert sum("<math" in text for text in pages.values()) > 3
    for path, text in pages.items():
        body = re.sub(r"<(pre|script|code).*?</\1>|<math.*?</math>", "", text, flags=re.DOTALL)
        assert not re.search(r"\\[(\[]", body), f"{path}: TeX as it was written"
        assert not re.search(r'<script[^>]* src="https?:', text), f"{path}: needs the network"
        assert not re.search(r"\$[^$<>]+\$|^\|.*\|$|</?picture", body, re.MULTILINE), f"{path}: left as it was written"
        assert "<table" in text or "\n|---" not in path.read_text()
