"""Pictures in a row as a file: a GIF made by Pillow, or an MP4 made by ffmpeg."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError, InputError
from rollingball.core.files import write_beside

FILMS = (".gif", ".mp4")
EXACT, MIXED = 64, 128  # colours of a GIF: the most frequent ones are exact, the others are means
DPI = 100
LAST = 1000  # milliseconds that the last picture of a GIF is shown


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


def write_film(figure: Any, shown: Iterable[None], path: Path, fps: int, moving: list[Any] | None = None) -> None:
    """Write a film of a figure that changes; the file is there as a whole or not at all.

    Args:
        figure: A matplotlib Figure.
        shown: An iterator that changes the figure at each step, one picture for each.
        path: The file.
        fps: Pictures a second.
        moving: The artists that change, from the lowest up: all others are drawn once. None where all may change.

    Raises:
        InputError: as :func:`check_film`.
        FileError: when the file cannot be written.
    """
    check_film(path)
    content = _gif(figure, shown, fps, moving) if path.suffix.lower() == ".gif" else _mp4(figure, shown, fps)
    write_beside(path, content)


def _pixels(figure: Any, shown: Iterable[None], moving: list[Any] | None) -> Iterator[np.ndarray]:
    """The pixels of each picture, an array (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas, background = FigureCanvasAgg(figure), None
    figure.set_dpi(DPI)
    for artist in moving or ():
        artist.set_animated(True)  # left out of the background
    for _moment in shown:
        if background is None or moving is None:
            canvas.draw()
            figure.set_layout_engine("none")  # the background does not shift when the title changes
            background = canvas.copy_from_bbox(figure.bbox)
        if moving is not None:
            canvas.restore_region(background)
            for artist in moving:
                artist.draw(canvas.get_renderer())
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _gif(figure: Any, shown: Iterable[None], fps: int, moving: list[Any] | None) -> bytes:
    from PIL import Image

    pictures = [Image.fromarray(array) for array in _pixels(figure, shown, moving)]
    palette = _palette(pictures)
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    file = io.BytesIO()
    times = [round(100 * (k + 1) / fps) * 10 - round(100 * k / fps) * 10 for k in range(len(indexed))]
    times[-1] = max(times[-1], LAST)
    indexed[0].save(
        file, format="GIF", save_all=True, append_images=indexed[1:], duration=times, loop=0, optimize=True, disposal=1
    )
    return file.getvalue()


def _palette(pictures: list[Any]) -> Any:
    """One palette for all pictures, so that the background keeps its colours."""
    from PIL import Image

    samples = [np.asarray(pictures[k]) for k in np.linspace(0, len(pictures) - 1, min(len(pictures), 6)).astype(int)]
    packed: Any = np.concatenate(samples).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    codes, counts = np.unique(packed.ravel(), return_counts=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
    order = np.argsort(-counts, kind="stable")
    exact, rest = colors[order[:EXACT]], colors[order[EXACT:]]
    if len(rest):
        mixed = Image.fromarray(rest[None]).quantize(MIXED, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        exact = np.concatenate([exact, np.array(mixed.getpalette(), dtype=np.uint8).reshape(-1, 3)[:MIXED]])
    palette = Image.new("P", (1, 1))
    palette.putpalette(exact.tobytes())
    return palette


def _mp4(figure: Any, shown: Iterable[None], fps: int) -> bytes:
    from matplotlib.animation import FFMpegWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    writer = FFMpegWriter(fps=fps, codec="libx264", extra_args=["-pix_fmt", "yuv420p", "-vf", "scale=trunc(iw/2)*2:-2"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        try:
            with writer.saving(figure, str(file), DPI):
                for _moment in shown:
                    writer.grab_frame()
                    figure.set_layout_engine("none")
            return file.read_bytes()
        except (OSError, RuntimeError) as error:
            raise FileError(f"ffmpeg: {error}") from None
