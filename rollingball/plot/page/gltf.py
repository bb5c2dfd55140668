"""A landscape as a binary glTF file, the format in which viser takes textured meshes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from rollingball.plot.page.landscape import Landscape

FLOAT, UNSIGNED = 5126, 5125
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


def glb(ground: Landscape, place: Any) -> bytes:
    """A landscape as binary glTF 2.0 with a matt material that is seen from both sides.

    Args:
        ground: The mesh.
        place: A function from points (..., 3) to their places in the picture (..., 3), with one scale for all axes.
    """
    points = place(ground.points).reshape(-1, 3)
    points = np.where(np.isfinite(points).all(axis=1, keepdims=True), points, points[ground.faces[0, 0]])
    rows, columns = ground.points.shape[:2]
    height, width = ground.picture.shape[:2]
    # the centre of the first pixel is at the first vertex; the rows of the picture go along the first axis of the grid
    u = (0.5 + np.linspace(0, width - 1, columns)) / width
    v = (0.5 + np.linspace(0, height - 1, rows)) / height
    across = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    parts: list[tuple[np.ndarray, str]] = [
        (points, "VEC3"), (ground.normals.reshape(-1, 3), "VEC3"), (across, "VEC2"),
    ]  # fmt: skip
    views, accessors, body = [], [], bytearray()

    def append(content: bytes) -> int:
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(content)})
        body.extend(content + bytes(-len(content) % 4))
        return len(views) - 1

    for array, kind in parts:
        values = np.ascontiguousarray(array, "<f4")
        about = {"bufferView": append(values.tobytes()), "componentType": FLOAT, "count": len(values), "type": kind}
        accessors.append(about | {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()})
    corners = np.ascontiguousarray(ground.faces.ravel(), "<u4")
    about = {"bufferView": append(corners.tobytes()), "componentType": UNSIGNED, "count": len(corners)}
    accessors.append(about | {"type": "SCALAR"})
    image = append(_png(ground.picture))
    surface = {"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}
    matt = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.9}
    head = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [surface]}],
        "materials": [
            {"pbrMetallicRoughness": matt, "doubleSided": True, "alphaMode": "MASK", "alphaCutoff": 0.5}
        ],
        "textures": [{"source": 0, "sampler": 0}], "images": [{"bufferView": image, "mimeType": "image/png"}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "buffers": [{"byteLength": len(body)}], "bufferViews": views, "accessors": accessors,
    }  # fmt: skip
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    whole = _numbers(len(text), JSON_CHUNK) + text + _numbers(len(body), BINARY_CHUNK) + bytes(body)
    return b"glTF" + _numbers(2, 12 + len(whole)) + whole


def _numbers(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


def _png(picture: np.ndarray) -> bytes:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, picture, format="png")
    return file.getvalue()
