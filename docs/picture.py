"""The directive ``picture``: a page's code, and beneath it what it draws.

The last line of the code is an expression: a matplotlib Figure, or Axes, such as every function of rollingball.plot
returns, or the path of a film that it has written. Pictures are drawn anew by every build of pages for a browser, and
none is committed.
"""

from __future__ import annotations

import ast
import contextlib
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = "out"  # in the folder of the pages, which git ignores


def drawn(code: str, name: str) -> tuple[str, bytes]:
    """Run ``code`` in an empty folder; its last expression as the suffix and bytes of a picture.

    Raises:
        TypeError: when it does not end with a Figure, Axes or a path.
    """
    import rollingball as rb

    tree = ast.parse(code, name)
    last = tree.body.pop()
    if not isinstance(last, ast.Expr):
        raise TypeError(f"{name}: the last line of a picture is an expression")
    names: dict[str, Any] = {"__name__": "picture"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(compile(tree, name, "exec"), names)  # noqa: S102 - these pages' own text
        value = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
        if isinstance(value, Path):
            return value.suffix, value.read_bytes()
    figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if figure is None:
        raise TypeError(f"{name}: {value!r} is no Figure, Axes or Path")
    return ".png", rb.plot.png(figure)


class Picture(SphinxDirective):
    """The directive; its argument is the text beneath the picture, and says what there is to see."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "name": directives.unchanged_required,
        "width": directives.unchanged,
        "hidden": directives.flag,  # the picture without its code
    }

    def run(self) -> list[nodes.Node]:
        """Draw, and give the code and the figure."""
        code, name = "\n".join(self.content), self.options["name"]
        shown = nodes.literal_block(code, code, language="python")
        self.set_source_info(shown)
        above = [] if "hidden" in self.options else [shown]
        if self.env.app.builder.format != "html":
            return above
        folder = Path(self.env.srcdir) / FOLDER
        folder.mkdir(exist_ok=True)
        try:
            suffix, content = drawn(code, f"{self.env.docname}, picture {name}")
        except Exception as error:
            raise self.error(f"picture {name}: {type(error).__name__}: {error}") from error
        (folder / f"{name}{suffix}").write_bytes(content)
        size = {"width": self.options["width"]} if "width" in self.options else {}
        if suffix == ".png":  # twice as many pixels in the file as on the page
            size = {"width": f"{int.from_bytes(content[16:20]) // 2}px", **size}
        text, messages = self.parse_inline(self.arguments[0], lineno=self.lineno)
        image = nodes.image(uri=f"/{FOLDER}/{name}{suffix}", alt=self.arguments[0], **size)
        figure = nodes.figure("", image, nodes.caption(self.arguments[0], "", *text))
        return [*above, figure, *messages]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": False}
