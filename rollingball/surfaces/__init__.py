"""Surfaces: the catalogue of analytic losses, formulas, samples, and users' own Warp functions."""

from rollingball.core.arguments import suggest_arguments
from rollingball.surfaces.base import Surface
from rollingball.surfaces.catalogue import CATALOGUE, from_recipe
from rollingball.surfaces.classics import ackley, himmelblau, rastrigin, rosenbrock
from rollingball.surfaces.formulas import formula
from rollingball.surfaces.hemispheres import bowl, dome
from rollingball.surfaces.planes import max_of_planes
from rollingball.surfaces.sampled import sampled
from rollingball.surfaces.smooth import cubic, double_well, plane, quadratic, sine
from rollingball.surfaces.stretched import stretched
from rollingball.surfaces.sums import cosine_sum, riemann, sine_mse, weierstrass
from rollingball.surfaces.user import surface
from rollingball.surfaces.wells import gaussian_wells
from rollingball.surfaces.whitley import whitley

__all__ = [
    "CATALOGUE",
    "Surface",
    "ackley",
    "bowl",
    "cosine_sum",
    "cubic",
    "dome",
    "double_well",
    "formula",
    "from_recipe",
    "gaussian_wells",
    "himmelblau",
    "max_of_planes",
    "plane",
    "quadratic",
    "rastrigin",
    "riemann",
    "rosenbrock",
    "sampled",
    "sine",
    "sine_mse",
    "stretched",
    "surface",
    "weierstrass",
    "whitley",
]

suggest_arguments(globals(), __all__)


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
