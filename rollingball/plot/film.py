"""Pictures in a row as a file: GIF by Pillow, MP4 by ffmpeg."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.errors import FileError, InputError
from rollingball.trajectory_file import write_beside

FILMS = (".gif", ".mp4")
EXACT, OTHERS = 64, 128  # colours of a GIF: the most frequent ones as they are, and means of the others
DPI = 100
REST = 1000  # milliseconds that the last picture of a GIF stays


def check_film(path: Path) -> None:
    """Refuse a file that cannot become a film, before anything is drawn.

    Raises:
        InputError: for a suffix that is neither .gif nor .mp4, and for .mp4 without ffmpeg.
    """
    kind = path.suffix.lower()
    if kind not in FILMS:
        raise InputError("path", str(path), "a file that ends with .gif or .mp4")
    if kind == ".mp4" and shutil.which("ffmpeg") is None:
        raise InputError("path", str(path), "a .gif: an .mp4 needs ffmpeg, which is not installed (apt install ffmpeg)")


def write_film(figure: Any, shown: Iterable[None], path: Path, fps: int) -> None:
    """Write what a figure shows after each of ``shown`` was taken, beside its place and renamed.

    Raises:
        FileError: when the file cannot be written.
    """
    check_film(path)
    write_beside(path, (_gif if path.suffix.lower() == ".gif" else _mp4)(figure, shown, fps))


def _gif(figure: Any, shown: Iterable[None], fps: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    pictures = []
    for _moment in shown:
        canvas.draw()
        figure.set_layout_engine("none")  # what stands still does not move when a word changes
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    palette = _palette(pictures)
    coded = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    film = io.BytesIO()
    times = [round(100 * (k + 1) / fps) * 10 - round(100 * k / fps) * 10 for k in range(len(coded))]
    times[-1] = max(times[-1], REST)
    coded[0].save(
        film, format="GIF", save_all=True, append_images=coded[1:], duration=times, loop=0, optimize=True, disposal=1
    )
    return film.getvalue()


def _palette(pictures: list[Any]) -> Any:
    """One palette for all pictures, so that what stands still keeps its colour."""
    from PIL import Image

    some = [np.asarray(pictures[k]) for k in np.linspace(0, len(pictures) - 1, min(len(pictures), 6)).astype(int)]
    colors, counts = np.unique(np.concatenate(some).reshape(-1, 3), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    exact, rest = colors[order[:EXACT]], colors[order[EXACT:]]
    if len(rest):
        mixed = Image.fromarray(rest[None]).quantize(OTHERS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        exact = np.concatenate([exact, np.array(mixed.getpalette(), dtype=np.uint8).reshape(-1, 3)[:OTHERS]])
    palette = Image.new("P", (1, 1))
    palette.putpalette(exact.tobytes())
    return palette


def _mp4(figure: Any, shown: Iterable[None], fps: int) -> bytes:
    from matplotlib.animation import FFMpegWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    writer = FFMpegWriter(fps=fps, codec="libx264", extra_args=["-pix_fmt", "yuv420p", "-vf", "scale=trunc(iw/2)*2:-2"])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "film.mp4"
        try:
            with writer.saving(figure, str(made), DPI):
                for _moment in shown:
                    writer.grab_frame()
                    figure.set_layout_engine("none")
            return made.read_bytes()
        except (OSError, RuntimeError) as error:
            raise FileError(f"ffmpeg: {error}") from None
