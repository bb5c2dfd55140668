"""The noun Surface: a loss f over R^d, as Warp functions of a point and of a parameter struct.

The ball rolls on the graph of ``loss_scale * f`` (theory, section 1). A kernel calls the five functions of
:class:`SurfaceFunctions`, which carry the scale; the host calls of :class:`Surface` give the loss itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, points, positive_scalar
from rollingball.core.launch import launch
from rollingball.core.limits import within
from rollingball.core.numeric import Numeric, fill, layout, struct

Fields = tuple[tuple[str, Any], ...]
Builder = Callable[[Numeric, bool], "Pieces"]


@dataclass(frozen=True, eq=False)
class Pieces:
    """What a family of surfaces supplies, without the loss scale: Warp functions of (x, p).

    The first three see a point and parameters of one precision; ``value`` is called in float64, the other two in the
    precision of the run (``in_float64``: in float64 too). A surface that is a long sum gives fused ones in the
    precision of the run, ``(height float64, gradient)`` and ``(height float64, gradient, hessian)``, and its ``value``
    is then a float64 height of a point in that precision. One whose derivatives share calls gives the second alone.

    ``bounds(x, reach, p)`` is what makes a global search a proof: numbers that |grad f| and the norm of Hess f do not
    exceed within the Euclidean distance ``reach`` of x, both float64 and finite or infinite, called in float64; where
    there is no surface within ``reach`` of x they are negative. ``domain(p)`` gives the corners of the box over which
    there is a graph, where it ends.
    """

    value: Any
    gradient: Any
    hessian: Any
    first: Any = None
    second: Any = None
    bounds: Any = None
    domain: Any = None
    in_float64: bool = False
    cpu_flags: str = ""


@dataclass(frozen=True, eq=False)
class SurfaceFunctions:
    """The scaled loss L f as kernels see it: Warp functions of a point x and the struct ``parameters``."""

    parameters: Any
    height: Any  # L f(x), float64
    gradient: Any  # L grad f(x)
    hessian: Any  # L Hess f(x)
    first: Any  # height, gradient
    second: Any  # height, gradient, hessian
    bounds: Any  # of L |grad f| and of the norm of L Hess f within a distance of x, float64; None where unknown
    domain: Any  # low, high: the box over which there is a graph; None where it is all of R^d
    cpu_flags: str
    dim: int


@dataclass(frozen=True, eq=False)
class Surface:
    """The graph of a loss f : R^d -> R.

    Attributes:
        name: The type name, as in a scene file.
        dim: The number of parameters d.
        builder: Gives the Warp functions for a precision; surfaces that share it share compiled kernels.
        params: The numeric parameters by name; they are kernel arguments, never compiled in.
        loss_scale: L, the height in parameter units of one unit of loss; the ball rolls on the graph of L f.
        recipe: The arguments that build this surface again (``{"type": ..., ...}``), or None for a user's own.
        parameter_gradient: For derivatives of runs: a NumPy function of points (N, d) and ``params`` that gives df/dq
            for each parameter q (N, ...) by name, analytic in x, since points are complex; the catalogue needs none.
    """

    name: str
    dim: int
    builder: Builder
    params: dict[str, Any] = field(default_factory=dict)
    loss_scale: float = 1.0
    recipe: dict[str, Any] | None = None
    parameter_gradient: Callable[[np.ndarray, dict[str, Any]], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        positive_scalar("loss_scale", self.loss_scale)
        within("dim", "dim", self.dim, self.dim)

    def __repr__(self) -> str:
        return f"Surface({self.name!r}, dim={self.dim}, loss_scale={self.loss_scale:g})"

    def scaled(self, loss_scale: float) -> "Surface":
        """The same loss with another ``loss_scale``."""
        recipe = None if self.recipe is None else {**self.recipe, "loss_scale": loss_scale}
        return replace(self, loss_scale=loss_scale, recipe=recipe)

    def value(self, x: Any) -> Any:
        """The loss f (not scaled) at ``x`` (d,) or (B, d): a number or (B,), float64."""
        return self._evaluate(x)[0]

    def gradient(self, x: Any) -> np.ndarray:
        """The gradient of f at ``x`` (d,) or (B, d): the same shape, float64."""
        return self._evaluate(x)[1]

    def hessian(self, x: Any) -> np.ndarray:
        """The Hessian of f at ``x`` (d,) or (B, d): (d, d) or (B, d, d), float64."""
        return self._evaluate(x)[2]

    def functions(self, numeric: Numeric, cooperative: bool = False) -> SurfaceFunctions:
        """The Warp functions of L f, compiled once for each family, precision and way of summing."""
        return _functions(self.builder, layout(self.params), numeric, cooperative)

    def parameters(self, numeric: Numeric, device: str) -> Any:
        """The parameter struct that :meth:`functions` take, its arrays on ``device``."""
        values = {**self.params, "loss_scale": float(self.loss_scale)}
        record = self.functions(numeric).parameters()
        record.wide = fill(values, numeric.wide, device)
        record.narrow = record.wide if numeric == numeric.wide else fill(values, numeric, device)
        return record

    def _evaluate(self, x: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        single = np.ndim(x) <= 1 and np.size(x) == self.dim
        where = points("x", x, self.dim)
        numeric = Numeric(self.dim)
        kernel = evaluation(self.functions(numeric), numeric)
        count, device = len(where), "cpu"
        height = wp.full(count, np.inf, dtype=wp.float64, device=device)
        gradient = wp.full(count, np.inf, dtype=numeric.vector, device=device)
        hessian = wp.full(count, np.inf, dtype=numeric.matrix, device=device)
        at: Any = wp.array(where, dtype=numeric.vector, device=device)
        launch(kernel, count, [self.parameters(numeric, device), at, height, gradient, hessian], device)
        found = [array.numpy() / self.loss_scale for array in (height, gradient, hessian)]
        if single:
            return float(found[0][0]), found[1][0], found[2][0]
        return found[0], found[1], found[2]


@dataclass(frozen=True)
class SurfaceKind:
    """Surfaces that share their Warp functions."""

    builder: Builder
    fields: Fields

    def struct(self, numeric: Numeric) -> Any:
        """The parameter struct of these functions."""
        return self.functions(numeric).parameters

    def functions(self, numeric: Numeric) -> SurfaceFunctions:
        """The Warp functions of L f."""
        return _functions(self.builder, self.fields, numeric, False)


@dataclass(frozen=True, eq=False)
class Inner:
    """A surface as a parameter of another one, which calls its functions in float64."""

    surface: Surface

    @property
    def kind(self) -> SurfaceKind:
        """The functions of the surface."""
        return SurfaceKind(self.surface.builder, layout(self.surface.params))

    def record(self, numeric: Numeric, device: str) -> Any:
        """Its parameters."""
        return self.surface.parameters(numeric, device)


def checked_surface(surface: Any) -> Surface:
    """``surface``, if it is one, or an InputError."""
    if not isinstance(surface, Surface):
        raise InputError("surface", surface, "a Surface, such as rb.surfaces.sine()")
    return surface


@compiled
def analytic(value: Any, gradient: Any, hessian: Any, bounds: Any = None, second: Any = None) -> Builder:
    """The builder of a surface whose functions are generic in dimension and precision; ``second`` is for float64."""

    def build(numeric: Numeric, cooperative: bool) -> Pieces:
        return Pieces(value, gradient, hessian, second=second if numeric == numeric.wide else None, bounds=bounds)

    return build


@compiled
def _functions(builder: Builder, fields: Fields, numeric: Numeric, cooperative: bool) -> SurfaceFunctions:
    pieces = builder(numeric, cooperative)
    value, gradient, hessian = pieces.value, pieces.gradient, pieces.hessian
    fused_first, fused_second = pieces.first, pieces.second
    vector, matrix, wide_vector = numeric.vector, numeric.matrix, numeric.wide.vector
    fields = (*fields, ("loss_scale", "number"))
    wide_struct, narrow_struct = struct(fields, numeric.wide), struct(fields, numeric)

    @wp.struct
    class SurfaceParameters:
        wide: wide_struct
        narrow: narrow_struct

    @wp.func
    def scaled_value(x: vector, p: SurfaceParameters):
        return p.wide.loss_scale * value(wide_vector(x), p.wide)

    if pieces.in_float64:

        @wp.func
        def scaled_gradient(x: vector, p: SurfaceParameters):
            return vector(p.wide.loss_scale * gradient(wide_vector(x), p.wide))

        @wp.func
        def scaled_hessian(x: vector, p: SurfaceParameters):
            return matrix(p.wide.loss_scale * hessian(wide_vector(x), p.wide))

    else:

        @wp.func
        def scaled_gradient(x: vector, p: SurfaceParameters):
            return p.narrow.loss_scale * gradient(x, p.narrow)

        @wp.func
        def scaled_hessian(x: vector, p: SurfaceParameters):
            return p.narrow.loss_scale * hessian(x, p.narrow)

    if fused_first is None:
        height = scaled_value

        @wp.func
        def first(x: vector, p: SurfaceParameters):
            return scaled_value(x, p), scaled_gradient(x, p)

    else:

        @wp.func
        def height(x: vector, p: SurfaceParameters):
            return p.wide.loss_scale * value(x, p.narrow)

        @wp.func
        def first(x: vector, p: SurfaceParameters):
            rise, slope = fused_first(x, p.narrow)
            return p.wide.loss_scale * rise, p.narrow.loss_scale * slope

    if fused_second is None:

        @wp.func
        def second(x: vector, p: SurfaceParameters):
            return scaled_value(x, p), scaled_gradient(x, p), scaled_hessian(x, p)

    else:

        @wp.func
        def second(x: vector, p: SurfaceParameters):
            rise, slope, bend = fused_second(x, p.narrow)
            return p.wide.loss_scale * rise, p.narrow.loss_scale * slope, p.narrow.loss_scale * bend

    scaled_bounds = None
    if pieces.bounds is not None:
        bounds_of = pieces.bounds

        @wp.func
        def scaled_bounds(x: vector, reach: wp.float64, p: SurfaceParameters):
            slope, bend = bounds_of(wide_vector(x), reach, p.wide)
            return p.wide.loss_scale * slope, p.wide.loss_scale * bend

    domain = None
    if pieces.domain is not None:
        domain_of = pieces.domain

        @wp.func
        def domain(p: SurfaceParameters):
            low, high = domain_of(p.wide)
            return low, high

    derivatives = (height, scaled_gradient, scaled_hessian, first, second)
    return SurfaceFunctions(SurfaceParameters, *derivatives, scaled_bounds, domain, pieces.cpu_flags, numeric.dim)


def kernel_options(functions: SurfaceFunctions) -> dict[str, Any]:
    """Module options for a kernel that calls ``functions``.

    In two dimensions and more, loops of more than four turns are not unrolled: at about the same speed a search in 16
    dimensions compiles in a tenth of the time. A kernel that Warp differentiates (``wp.grad``) has to unroll its loops
    and needs ``"max_unroll": 16``, Warp's default.
    """
    flags = wp.config.cpu_compiler_flags
    together = f"{flags or ''} {functions.cpu_flags}".strip() if functions.cpu_flags else flags
    return {"cpu_compiler_flags": together, "max_unroll": 16 if functions.dim == 1 else 4}


@compiled
def evaluation(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """The kernel that evaluates a surface at points: height, gradient and Hessian of the scaled loss."""
    parameters, second = functions.parameters, functions.second
    vector, matrix = numeric.vector, numeric.matrix

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def evaluate(
        # in:
        p: parameters,
        x: wp.array(dtype=vector),
        # out:
        height: wp.array(dtype=wp.float64),
        gradient: wp.array(dtype=vector),
        hessian: wp.array(dtype=matrix),
        first_point: int,
    ):
        i = first_point + wp.tid()
        f, g, bend = second(x[i], p)
        height[i] = f
        gradient[i] = g
        hessian[i] = bend

    return evaluate
