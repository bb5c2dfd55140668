"""The directive ``picture``: a page's code, and beneath it what it draws.

The last line of the code is an expression: a matplotlib Figure, or Axes, such as every function of rollingball.plot
returns. Pictures are drawn anew by every build of pages for a browser, and none is committed.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = "out"  # in the folder of the pages, which git ignores


def drawn(code: str, name: str) -> bytes:
    """Run ``code``; its last expression as the bytes of a PNG.

    Raises:
        TypeError: when it does not end with a Figure or Axes.
    """
    import rollingball as rb

    tree = ast.parse(code, name)
    last = tree.body.pop()
    if not isinstance(last, ast.Expr):
        raise TypeError(f"{name}: the last line of a picture is an expression")
    names: dict[str, Any] = {"__name__": "picture"}
    exec(compile(tree, name, "exec"), names)  # noqa: S102 - these pages' own text
    value = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
    figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if figure is None:
        raise TypeError(f"{name}: {value!r} is neither a Figure nor Axes")
    return rb.plot.png(figure)


class Picture(SphinxDirective):
    """The directive; its argument is the text beneath the picture, and says what there is to see."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged_required, "width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Draw, and give the code and the figure."""
        code, name = "\n".join(self.content), self.options["name"]
        shown = nodes.literal_block(code, code, language="python")
        self.set_source_info(shown)
        if self.env.app.builder.format != "html":
            return [shown]
        path = Path(self.env.srcdir) / FOLDER / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        try:
            path.write_bytes(drawn(code, f"{self.env.docname}, picture {name}"))
        except Exception as error:
            raise self.error(f"picture {name}: {type(error).__name__}: {error}") from error
        text, messages = self.parse_inline(self.arguments[0], lineno=self.lineno)
        image = nodes.image(uri=f"/{FOLDER}/{name}.png", alt=self.arguments[0], width=self.options.get("width", "100%"))
        figure = nodes.figure("", image, nodes.caption(self.arguments[0], "", *text))
        return [shown, figure, *messages]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": False}
