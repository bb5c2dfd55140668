"""``rollingball doctor --warm``: what the runs of the shipped scenes and common calls need is compiled beforehand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollingball.app.scene import Scene

SHORT = 1e-6  # the duration of a run that is made only for its kernels


def shortened(scene: Scene, index: int) -> tuple[Any, Any, dict[str, Any]]:
    """The ball, the method and the arguments of a run of a scene, for one step or the shortest time."""
    ball, method, arguments = scene.arguments(index)
    if "duration" in arguments:
        return ball, method, {**arguments, "duration": SHORT, "save_at": [SHORT]}
    return ball, method, {**arguments, "steps": 1, "every": 1}


def _roll(scene: Scene, index: int) -> None:
    """Make a run of a scene, shortened."""
    from rollingball.simulate import simulate

    (ball, method, arguments), surface = shortened(scene, index), scene.build_surface()
    simulate(surface, ball, method, **arguments)
    _load_all(surface, method, arguments.get("device", "cpu"))


def _load_all(surface: Any, method: Any, device: Any = "cpu") -> None:
    """Make the kernel of a flow that its first step does not need, too."""
    from rollingball.core.launch import device_name, load
    from rollingball.methods import FLOWS
    from rollingball.methods.flow.launcher import flow_kernel

    others = flow_kernel(surface, method)[1] if isinstance(method, FLOWS) else None
    if others is not None:
        load(others(), device_name(device))


def _common() -> dict[str, Callable[[], Any]]:
    """Calls on a formula in two variables; every other formula has the same kernels."""
    from rollingball.core.ball import Ball
    from rollingball.derivatives.derivatives import derivatives
    from rollingball.geometry.contact.contacts import contacts
    from rollingball.geometry.foot.footpoints import project
    from rollingball.geometry.foot.projection import NewtonProjection
    from rollingball.geometry.ironing.ironed import ironed
    from rollingball.methods import DistanceRBO, FootpointRBO, IronedFlow, RigidBall, Rosenbrock
    from rollingball.simulate import simulate
    from rollingball.surfaces import formula

    surface, start = formula("x**2 + 2*y**2", "x y"), [[0.5, 0.5]]

    def rolled(method: Any, **options: Any) -> Any:
        length: dict[str, Any] = {"steps": 1} if isinstance(method, FootpointRBO | DistanceRBO) else {"duration": SHORT}
        _load_all(surface, method)
        return simulate(surface, Ball(0.1), method, start=start, **length, **options)

    def backwards(method: Any) -> Any:
        return derivatives(rolled(method, gap=None), {"center": [[1.0, 0.0, 0.0]]}, surface=surface)

    local = FootpointRBO(lr=0.01, projection=NewtonProjection())
    return {
        "FootpointRBO": lambda: rolled(FootpointRBO(lr=0.01)),
        "FootpointRBO(NewtonProjection)": lambda: rolled(local),
        "DistanceRBO": lambda: rolled(DistanceRBO(lr=0.01)),
        "IronedFlow": lambda: rolled(IronedFlow()),
        "IronedFlow(Rosenbrock)": lambda: rolled(IronedFlow(Rosenbrock())),
        "RigidBall": lambda: rolled(RigidBall()),
        "project": lambda: project(surface, [[0.5, 0.5, 2.0]]),
        "contacts": lambda: contacts(surface, start, 0.1),
        "ironed": lambda: ironed(surface, 0.1).value(start),
        "derivatives of FootpointRBO": lambda: backwards(FootpointRBO(lr=0.01)),
        "derivatives of IronedFlow": lambda: backwards(IronedFlow()),
    }


def _iron(scene: Scene) -> None:
    """Make what ``rollingball iron`` draws of a scene, with one ball."""
    import msgspec

    from rollingball.app.studies import relief
    from rollingball.plot import ironing_sheet

    assert scene.iron is not None  # asked by jobs
    assert scene.plot is not None
    table = scene.iron.delta and msgspec.structs.replace(scene.iron.delta, count=2)
    surface = scene.build_surface()
    relief(msgspec.structs.replace(scene, iron=msgspec.structs.replace(scene.iron, delta=table)), surface)
    ironing_sheet(surface, scene.iron.radii[:1], scene.plot.box)


def _compare(scene: Scene) -> None:
    """Make both kinds of runs of ``rollingball compare``, shortened."""
    import msgspec

    from rollingball.app.studies import discrete_run, limit_flow
    from rollingball.methods import Dopri5, IronedFlow

    assert scene.compare is not None  # asked by jobs
    table = msgspec.structs.replace(scene.compare, duration=SHORT, frames=2)
    short, surface = msgspec.structs.replace(scene, compare=table), scene.build_surface()
    limit_flow(short, surface)
    _load_all(surface, IronedFlow(Dopri5()))
    discrete_run(short, surface, SHORT)


def _part(scene: Scene) -> None:
    """Make the runs of ``rollingball sensitivity``, shortened, with their derivatives."""
    from rollingball.app.studies import cases_of
    from rollingball.derivatives.sensitivity_field import sensitivity_field

    assert scene.sensitivity is not None  # asked by jobs
    surface = scene.build_surface()
    box, _counts = scene.sensitivity.starts(surface.dim, scene.plot)
    for _name, _radius, ball, method, options in cases_of(scene):
        length = {"duration": SHORT} if "duration" in options else {"steps": 1}
        sensitivity_field(surface, ball, method, box, 2, **{**options, **length, "height": scene.sensitivity.height})


def jobs() -> dict[str, Callable[[], Any]]:
    """What is made, by its name: common calls on a formula, and every run and study of every shipped scene."""
    from rollingball.app.scene import load_scene, shipped

    made = _common()
    for name in shipped():
        scene = load_scene(name)
        names = scene.names() if scene.run else []
        made |= {f"{name}: {run}": functools.partial(_roll, scene, index) for index, run in enumerate(names)}
        studies = {"iron": _iron, "compare": _compare, "sensitivity": _part}
        asked = [table for table in studies if getattr(scene, table) is not None]
        made |= {f"{name}: [{table}]": functools.partial(studies[table], scene) for table in asked}
    return made


def warm() -> None:
    """Make all of them, with a bar; what is compiled already takes no time.

    Raises:
        FileError: when Warp cannot write its folder of compiled kernels.
    """
    from tqdm import tqdm

    made = jobs()
    with tqdm(total=len(made), desc="compiling, once") as bar:
        for name, job in made.items():
            bar.set_postfix_str(name)
            job()
            bar.update()
