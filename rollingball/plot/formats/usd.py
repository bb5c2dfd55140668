"""Runs as a USD stage with time samples, as Blender and Omniverse open it: the landscape, balls that turn, paths."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.plot.formats.motion import Motion, grounded, motions, vertex_colors
from rollingball.plot.page.contents import Page, sphere

INSTALL = "pip install 'rollingball[usd]'"
PALE = (0.96, 0.94, 0.88)


def stage_bytes(page: Page, seconds: float, fps: int, suffix: str) -> bytes:
    """A page as a USD file: ``.usda`` is text, ``.usdc`` and ``.usd`` are binary; z is up, a unit is a metre.

    Raises:
        RollingBallError: when usd-core is not installed.
    """
    try:
        from pxr import Usd, UsdGeom
    except ImportError:
        raise RollingBallError(f"a USD file needs usd-core, which is not installed: {INSTALL}") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stage{suffix}"
        stage = Usd.Stage.CreateNew(str(path))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        root = UsdGeom.Xform.Define(stage, "/rollingball")
        stage.SetDefaultPrim(root.GetPrim())
        _landscape(stage, page)
        rolled = motions(page, seconds, fps)
        stage.SetTimeCodesPerSecond(fps)
        stage.SetFramesPerSecond(fps)
        stage.SetStartTimeCode(0)
        stage.SetEndTimeCode(len(rolled[0].time) - 1)
        count = sum(motion.cast.run.balls for motion in rolled)
        for number, motion in enumerate(rolled):
            _balls(stage, motion, f"/rollingball/{_plain(motion.name)}_{number}", count)
        stage.GetRootLayer().Save()
        del stage, root
        return path.read_bytes()


def _landscape(stage: Any, page: Page) -> None:
    """The surface, with a colour at each vertex."""
    from pxr import UsdGeom, Vt

    points, faces, normals = grounded(page)
    mesh = UsdGeom.Mesh.Define(stage, "/rollingball/landscape")
    _triangles(mesh, points, faces, normals)
    mesh.CreateDoubleSidedAttr(True)
    shade = mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
    shade.Set(Vt.Vec3fArray.FromNumpy(vertex_colors(page).astype(np.float32)))


def _triangles(mesh: Any, points: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    from pxr import UsdGeom, Vt

    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points.astype(np.float32)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces.ravel(), np.int32)))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals.astype(np.float32)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)


def _balls(stage: Any, motion: Motion, path: str, count: int) -> None:
    """The balls of a run, each with samples of where it is, how it is turned and how large it is, and its path."""
    from pxr import Gf, UsdGeom, Vt

    UsdGeom.Xform.Define(stage, path).GetPrim().SetDisplayName(motion.name)
    vertices, halves = sphere(count)
    for ball in range(motion.cast.run.balls):
        body = UsdGeom.Xform.Define(stage, f"{path}/ball_{ball}")
        move, turn, size = body.AddTranslateOp(), body.AddOrientOp(), body.AddScaleOp()
        for code in range(len(motion.time)):
            move.Set(Gf.Vec3d(*motion.center[code, ball].tolist()), code)
            turn.Set(Gf.Quatf(*motion.turn[code, ball].tolist()), code)
            size.Set(Gf.Vec3f(*[float(motion.radius[code, ball])] * 3), code)
        own = tuple((motion.cast.color[ball] / 255.0).tolist())
        for part, faces, color in zip(("octants", "between"), halves, (own, PALE), strict=True):
            mesh = UsdGeom.Mesh.Define(stage, f"{path}/ball_{ball}/{part}")
            _triangles(mesh, vertices, faces, vertices)
            mesh.CreateDisplayColorAttr([Gf.Vec3f(*color)])
        line = UsdGeom.BasisCurves.Define(stage, f"{path}/path_{ball}")
        line.CreateTypeAttr(UsdGeom.Tokens.linear)
        line.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(motion.center[:, ball].astype(np.float32)))
        line.CreateCurveVertexCountsAttr([len(motion.time)])
        line.CreateWidthsAttr([0.08 * float(motion.radius[0, ball])])
        line.SetWidthsInterpolation(UsdGeom.Tokens.constant)
        line.CreateDisplayColorAttr([Gf.Vec3f(*own)])


def _plain(name: str) -> str:
    """A name that USD takes for a prim."""
    return re.sub(r"\W", "_", name, flags=re.ASCII) if name[:1].isalpha() else "run"
