"""Runs as binary glTF 2.0 with an animation: the landscape, balls in two tones that turn, and the paths of centres."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.formats.motion import Motion, motions
from rollingball.plot.page.contents import Page, sphere
from rollingball.plot.page.gltf import Binary, landscape_mesh

LINE_STRIP = 3
PALE = (0.96, 0.94, 0.88)


def animated(page: Page, seconds: float, fps: int) -> bytes:
    """A page as binary glTF whose one animation rolls the balls; lengths are those of R^3, and y is up, as in glTF."""
    file = Binary()
    file.meshes.append(landscape_mesh(file, page.ground, lambda points: points))
    half = float(np.sqrt(0.5))
    root: dict[str, Any] = {"name": "rollingball", "rotation": [-half, 0.0, 0.0, half], "children": [1]}
    file.nodes += [root, {"name": "landscape", "mesh": 0}]
    samplers: list[Any] = []
    channels: list[Any] = []
    shape = _sphere(file, sum(cast.run.balls for cast in page.casts.values()))
    for motion in motions(page, seconds, fps):
        clock = file.accessor(np.linspace(0.0, seconds, len(motion.time), dtype=np.float32), "SCALAR", bounds=True)
        colors = {tuple(color): _ball(file, shape, color) for color in np.unique(motion.cast.color, axis=0).tolist()}
        for ball in range(motion.cast.run.balls):
            root["children"].append(len(file.nodes))
            _path(file, motion, ball, root)
            root["children"].append(len(file.nodes))
            values = {
                "translation": motion.center[:, ball],
                "rotation": motion.turn[:, ball][:, [1, 2, 3, 0]],
                "scale": np.repeat(motion.radius[:, ball, None], 3, axis=1),
            }
            first = {name: part[0].tolist() for name, part in values.items()}
            mesh = colors[tuple(motion.cast.color[ball].tolist())]
            for name, part in values.items():
                if name != "scale" or np.ptp(part) > 0:
                    kind = "VEC4" if name == "rotation" else "VEC3"
                    samplers.append({"input": clock, "output": file.accessor(part, kind), "interpolation": "LINEAR"})
                    target = {"node": len(file.nodes), "path": name}
                    channels.append({"sampler": len(samplers) - 1, "target": target})
            file.nodes.append({"name": f"{motion.name}, ball {ball}", "mesh": mesh, **first})
    return file.content([0], {"animations": [{"name": "roll", "samplers": samplers, "channels": channels}]})


def _sphere(file: Binary, balls: int) -> tuple[int, int, list[int]]:
    """The accessors of a unit sphere: its vertices, its normals, and the triangles of its two tones."""
    vertices, halves = sphere(balls)
    at = file.accessor(vertices, "VEC3", bounds=True)
    return at, file.accessor(vertices, "VEC3"), [file.indices(faces) for faces in halves]


def _ball(file: Binary, shape: tuple[int, int, list[int]], color: Any) -> int:
    """A mesh of a ball: octants in its colour, and pale ones between."""
    at, normals, halves = shape
    own = _linear(np.asarray(color) / 255.0)
    parts = []
    for faces, tone in zip(halves, (own, np.array(PALE)), strict=True):
        matt = {"baseColorFactor": [*tone.tolist(), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.6}
        file.materials.append({"pbrMetallicRoughness": matt})
        attributes = {"POSITION": at, "NORMAL": normals}
        parts.append({"attributes": attributes, "indices": faces, "material": len(file.materials) - 1})
    file.meshes.append({"primitives": parts})
    return len(file.meshes) - 1


def _path(file: Binary, motion: Motion, ball: int, root: dict[str, Any]) -> None:
    """The path of a centre as a line, in a node of its own."""
    file.materials.append({
        "pbrMetallicRoughness": {"baseColorFactor": [*_linear(motion.cast.color[ball] / 255.0).tolist(), 1.0]},
        "extensions": {"KHR_materials_unlit": {}},
    })  # fmt: skip
    line = {"attributes": {"POSITION": file.accessor(motion.center[:, ball], "VEC3", bounds=True)}, "mode": LINE_STRIP}
    file.meshes.append({"primitives": [{**line, "material": len(file.materials) - 1}]})
    file.nodes.append({"name": f"{motion.name}, path {ball}", "mesh": len(file.meshes) - 1})


def _linear(color: np.ndarray) -> np.ndarray:
    """Colours in proportion to light, as glTF takes them, of sRGB colours from 0 to 1."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
