"""Figures as files: PNG at 200 dpi, SVG or PDF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rollingball.core.errors import InputError
from rollingball.core.files import checked_path, write_beside
from rollingball.plot.common.style import STYLE


def png(figure: Any, dpi: float | None = None) -> bytes:
    """The PNG of a matplotlib Figure, or of the figure of some axes, cropped to what is drawn with a small margin.

    Args:
        figure: The figure.
        dpi: Pixels per inch; by default 200.
    """
    return _encoded(figure, "png", dpi=STYLE["savefig.dpi"] if dpi is None else dpi)


def svg(figure: Any) -> bytes:
    """The SVG of a matplotlib Figure, without a date, so that the same figure gives the same bytes."""
    return _encoded(figure, "svg", metadata={"Date": None})


def pdf(figure: Any) -> bytes:
    """The PDF of a matplotlib Figure, without a date, so that the same figure gives the same bytes."""
    return _encoded(figure, "pdf", metadata={"CreationDate": None})


FORMATS = {".png": png, ".svg": svg, ".pdf": pdf}


def save(figure: Any, path: str | Path) -> None:
    """Write a figure to a file, which is there as a whole or not at all.

    Args:
        figure: A matplotlib Figure, or axes in it.
        path: The file; its suffix gives the format: .png, .svg or .pdf.

    Raises:
        InputError: for another suffix, and for what is no figure.
        FileError: when the file cannot be written.
    """
    path = checked_path(path)
    encode = FORMATS.get(path.suffix.lower())
    if encode is None:
        raise InputError("path", str(path), f"a file that ends with {', '.join(FORMATS)}")
    write_beside(path, encode(figure))


def _encoded(figure: Any, kind: str, **options: Any) -> bytes:
    import matplotlib

    if not hasattr(getattr(figure, "figure", None), "savefig"):
        raise InputError("figure", figure, "a matplotlib Figure, or axes in it")
    file = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "rollingball"}):
        figure.figure.savefig(file, format=kind, bbox_inches="tight", pad_inches=0.1, **options)
    return file.getvalue()
