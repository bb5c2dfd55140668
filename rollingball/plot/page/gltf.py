"""Binary glTF 2.0: the file as it is put together, and a landscape in it, the form in which viser takes meshes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from rollingball.plot.page.landscape import Landscape

FLOAT, UNSIGNED = 5126, 5125
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


class Binary:
    """A glTF file in the making: its buffer, and the lists of its parts.

    Attributes:
        body: The bytes of the buffer.
        views: The parts of the buffer.
        accessors: The arrays in it.
        nodes: What there is in the scene.
        meshes: The meshes, each of primitives.
        materials: The materials of primitives.
        textures: The pictures of materials: the views that hold PNG files.
    """

    def __init__(self) -> None:
        self.body = bytearray()
        self.views: list[Any] = []
        self.accessors: list[Any] = []
        self.nodes: list[Any] = []
        self.meshes: list[Any] = []
        self.materials: list[Any] = []
        self.textures: list[int] = []

    def append(self, content: bytes) -> int:
        """Append bytes to the buffer; the number of their view."""
        self.views.append({"buffer": 0, "byteOffset": len(self.body), "byteLength": len(content)})
        self.body.extend(content + bytes(-len(content) % 4))
        return len(self.views) - 1

    def accessor(self, array: Any, kind: str, bounds: bool = False) -> int:
        """Append an array of floats, a row for each element; the number of its accessor."""
        values = np.ascontiguousarray(array, "<f4")
        view = self.append(values.tobytes())
        about = {"bufferView": view, "componentType": FLOAT, "count": len(values), "type": kind}
        if bounds:
            rows = values.reshape(len(values), -1)
            about |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(about)
        return len(self.accessors) - 1

    def indices(self, faces: np.ndarray) -> int:
        """Append the corners of triangles (F, 3); the number of their accessor."""
        corners = np.ascontiguousarray(faces.ravel(), "<u4")
        view = self.append(corners.tobytes())
        self.accessors.append({"bufferView": view, "componentType": UNSIGNED, "count": len(corners), "type": "SCALAR"})
        return len(self.accessors) - 1

    def content(self, roots: list[int], more: dict[str, Any] | None = None) -> bytes:
        """The bytes of the file, with the nodes at the top of its scene, and other entries such as animations."""
        head: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "rollingball"}, "scene": 0, "scenes": [{"nodes": roots}],
            "nodes": self.nodes, "meshes": self.meshes, "materials": self.materials,
            "textures": [{"source": number, "sampler": 0} for number in range(len(self.textures))],
            "images": [{"bufferView": view, "mimeType": "image/png"} for view in self.textures],
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
            "buffers": [{"byteLength": len(self.body)}], "bufferViews": self.views, "accessors": self.accessors,
            **(more or {}),
        }  # fmt: skip
        if any("extensions" in material for material in self.materials):
            head["extensionsUsed"] = ["KHR_materials_unlit"]
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 4)
        whole = _numbers(len(text), JSON_CHUNK) + text + _numbers(len(self.body), BINARY_CHUNK) + bytes(self.body)
        return b"glTF" + _numbers(2, 12 + len(whole)) + whole


def landscape_mesh(file: Binary, ground: Landscape, place: Any) -> dict[str, Any]:
    """The mesh of a landscape, with a matt material that is seen from both sides.

    Args:
        file: The file that gets its arrays.
        ground: The landscape.
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
    attributes = {
        "POSITION": file.accessor(points, "VEC3", bounds=True),
        "NORMAL": file.accessor(ground.normals.reshape(-1, 3), "VEC3"),
        "TEXCOORD_0": file.accessor(across, "VEC2"),
    }
    corners = file.indices(ground.faces)
    file.textures.append(file.append(_png(ground.picture)))
    matt = {"baseColorTexture": {"index": len(file.textures) - 1}, "metallicFactor": 0.0, "roughnessFactor": 0.9}
    file.materials.append({"pbrMetallicRoughness": matt, "doubleSided": True, "alphaMode": "MASK", "alphaCutoff": 0.5})
    return {"primitives": [{"attributes": attributes, "indices": corners, "material": len(file.materials) - 1}]}


def glb(ground: Landscape, place: Any) -> bytes:
    """A landscape as binary glTF 2.0 (see :func:`landscape_mesh`)."""
    file = Binary()
    file.meshes.append(landscape_mesh(file, ground, place))
    file.nodes.append({"mesh": 0})
    return file.content([0])


def _numbers(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


def _png(picture: np.ndarray) -> bytes:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, picture, format="png")
    return file.getvalue()
