"""Surface: the graph of a loss f over R^d, computed by Warp functions of a point and of a parameter struct.

The ball rolls on the graph of ``loss_scale * f`` (theory, section 1). Kernels call the functions of
:class:`SurfaceFunctions`, which include that factor; ``value``, ``gradient`` and ``hessian`` of a :class:`Surface`,
called from Python, are those of f itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled, compiler_flags
from rollingball.core.errors import InputError, points, positive_scalar
from rollingball.core.launch import device_name, launch
from rollingball.core.limits import within
from rollingball.core.numeric import Numeric, fill, layout, struct

Fields = tuple[tuple[str, Any], ...]
Builder = Callable[[Numeric, bool], "LossFunctions"]
CATALOGUE: dict[str, Callable[..., "Surface"]] = {}  # the factories by the names that scene files know


@dataclass(frozen=True, eq=False)
class LossFunctions:
    """The Warp functions of f, without the loss scale, that a family of surfaces supplies; they take (x, p).

    Attributes:
        value: f(x), called in float64.
        gradient: grad f(x), called in the precision of the run.
        hessian: Hess f(x), called in the precision of the run.
        first: Optional, for a long sum: f(x) in float64 and grad f(x) at once, for x in the precision of the run. With
            it, ``value`` is called in the precision of the run and returns float64.
        second: Optional: f(x) in float64, grad f(x) and Hess f(x) at once.
        bounds: Optional, for proofs by a global search: ``bounds(x, reach, p)`` gives float64 upper bounds, perhaps
            infinite, of |grad f| and of the spectral norm of Hess f within the Euclidean distance ``reach`` of x; both
            are negative where f is defined nowhere within that distance.
        ceiling: Optional, to prove nearest points sooner: ``ceiling(x, p)`` gives in float64 a height h, a gradient g
            and a curvature c with f(y) <= h + g . (y - x) + c |y - x|^2 / 2 for every y.
        domain: Optional: ``domain(p)`` gives the lower and upper corner of the box outside of which f is undefined.
        in_float64: Whether gradient and Hessian are called in float64 in a run of float32 too.
        cpu_flags: Compiler flags that these functions need on a CPU.
    """

    value: Any
    gradient: Any
    hessian: Any
    first: Any = None
    second: Any = None
    bounds: Any = None
    ceiling: Any = None
    domain: Any = None
    in_float64: bool = False
    cpu_flags: str = ""


@dataclass(frozen=True, eq=False)
class SurfaceFunctions:
    """The Warp functions of the scaled loss L f, of a point x and an instance of the struct ``parameters``.

    Points, gradients and Hessians are in the precision of the run, heights and bounds in float64.
    """

    parameters: Any
    height: Any  # L f(x)
    gradient: Any  # L grad f(x)
    hessian: Any  # L Hess f(x)
    first: Any  # height, gradient
    second: Any  # height, gradient, hessian
    bounds: Any  # (x, reach) -> upper bounds of |L grad f| and of the norm of L Hess f near x; None where unknown
    ceiling: Any  # x -> height, gradient and curvature of a paraboloid above L f; None where none is known
    domain: Any  # the lower and upper corner of the box over which f is defined; None where that is all of R^d
    cpu_flags: str  # compiler flags that a kernel with these functions needs on a CPU
    dim: int


@dataclass(frozen=True, eq=False)
class Surface:
    """The graph of a loss f : R^d -> R.

    Attributes:
        name: The name of the type of surface, as in a scene file.
        dim: The number of parameters d.
        builder: A function that builds the Warp functions for a dimension and precision; surfaces with the same builder
            share compiled kernels.
        params: The numeric parameters by name, which are arguments of kernels: other values compile nothing.
        loss_scale: L, the height in parameter units of one unit of loss; the ball rolls on the graph of L f.
        recipe: The type and arguments from which :func:`from_recipe` builds the same surface (``{"type": ..., ...}``);
            None for a user's own Warp function.
        parameter_gradient: For derivatives of runs: a NumPy function of points (N, d) and ``params`` that gives df/dq
            for each parameter q (N, ...) by name. The points are complex, so it must be analytic in x. Surfaces of the
            catalogue need none.
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

    def stretched(self, units: Any) -> "Surface":
        """The same loss in other units of its parameters, phi -> f(T phi): see :func:`rollingball.surfaces.stretched`.

        A ball of radius rho on it is an ellipsoid of half-axes rho T_i on this surface.

        Args:
            units: T (d,), above 0, or one number for all.
        """
        return CATALOGUE["stretched"](self, units, self.loss_scale)

    def value(self, x: Any, device: str = "cpu") -> Any:
        """The loss f, without the loss scale, at ``x`` (d,) or (B, d), on a device: a float or float64 (B,)."""
        return self._evaluate(x, device)[0]

    def gradient(self, x: Any, device: str = "cpu") -> np.ndarray:
        """The gradient of f at ``x`` (d,) or (B, d), on a device: the same shape, float64."""
        return self._evaluate(x, device)[1]

    def hessian(self, x: Any, device: str = "cpu") -> np.ndarray:
        """The Hessian of f at ``x`` (d,) or (B, d), on a device: (d, d) or (B, d, d), float64."""
        return self._evaluate(x, device)[2]

    def functions(self, numeric: Numeric, cooperative: bool = False) -> SurfaceFunctions:
        """The Warp functions of L f, built once for each family, dimension and precision.

        With ``cooperative`` a block of threads computes each value together, which is for long sums on CUDA devices.
        """
        return _functions(self.builder, layout(self.params), numeric, cooperative)

    def parameters(self, numeric: Numeric, device: str) -> Any:
        """An instance of the parameter struct of :meth:`functions`, its arrays on ``device``."""
        values = {**self.params, "loss_scale": float(self.loss_scale)}
        record = self.functions(numeric).parameters()
        record.wide = fill(values, numeric.wide, device)
        narrow = dict(_narrow(layout(values), numeric))
        record.narrow = fill({name: values[name] for name in narrow}, numeric, device)
        return record

    def _evaluate(self, x: Any, device: str = "cpu") -> tuple[Any, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian of f at ``x`` (d,) or (B, d), float64, in one launch."""
        single = np.ndim(x) <= 1 and np.size(x) == self.dim
        at = points("x", x, self.dim)
        numeric = Numeric(self.dim)
        kernel = evaluation(self.functions(numeric), numeric)
        count, device = len(at), device if device == "cpu" else device_name(device)
        height = wp.full(count, np.inf, dtype=wp.float64, device=device)
        gradient = wp.full(count, np.inf, dtype=numeric.vector, device=device)
        hessian = wp.full(count, np.inf, dtype=numeric.matrix, device=device)
        locations: Any = wp.array(at, dtype=numeric.vector, device=device)
        launch(kernel, count, [self.parameters(numeric, device), locations, height, gradient, hessian], device)
        results = [array.numpy() / self.loss_scale for array in (height, gradient, hessian)]
        if single:
            return float(results[0][0]), results[1][0], results[2][0]
        return results[0], results[1], results[2]


def checked_surface(surface: Any) -> Surface:
    """``surface`` itself, or an InputError where it is no :class:`Surface`."""
    if not isinstance(surface, Surface):
        raise InputError("surface", surface, "a Surface, such as rb.surfaces.sine()")
    return surface


@compiled
def analytic(value: Any, gradient: Any, hessian: Any, bounds: Any = None, second: Any = None) -> Builder:
    """The builder of surfaces whose Warp functions take any dimension and precision (``second``: float64 only)."""

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        return LossFunctions(
            value, gradient, hessian, second=second if numeric == numeric.wide else None, bounds=bounds
        )

    return build


def _narrow(fields: Fields, numeric: Numeric) -> Fields:
    """The parameters that kernels keep in the precision of the run beside those in float64.

    In float64 that is the loss scale only: what a function called by value takes with it costs time on a CUDA device.
    """
    return fields[-1:] if numeric == numeric.wide else fields


@compiled
def _functions(builder: Builder, fields: Fields, numeric: Numeric, cooperative: bool) -> SurfaceFunctions:
    supplied = builder(numeric, cooperative)
    value, gradient, hessian = supplied.value, supplied.gradient, supplied.hessian
    fused_first, fused_second = supplied.first, supplied.second
    vector, matrix, wide_vector = numeric.vector, numeric.matrix, numeric.wide.vector
    fields = (*fields, ("loss_scale", "number"))
    wide_struct, narrow_struct = struct(fields, numeric.wide), struct(_narrow(fields, numeric), numeric)

    @wp.struct
    class SurfaceParameters:
        wide: wide_struct
        narrow: narrow_struct

    if numeric == numeric.wide:

        @wp.func
        def own(p: SurfaceParameters):
            return p.wide

    else:

        @wp.func
        def own(p: SurfaceParameters):
            return p.narrow

    @wp.func
    def scaled_value(x: vector, p: SurfaceParameters):
        return p.wide.loss_scale * value(wide_vector(x), p.wide)

    if supplied.in_float64:

        @wp.func
        def scaled_gradient(x: vector, p: SurfaceParameters):
            return vector(p.wide.loss_scale * gradient(wide_vector(x), p.wide))

        @wp.func
        def scaled_hessian(x: vector, p: SurfaceParameters):
            return matrix(p.wide.loss_scale * hessian(wide_vector(x), p.wide))

    else:

        @wp.func
        def scaled_gradient(x: vector, p: SurfaceParameters):
            return p.narrow.loss_scale * gradient(x, own(p))

        @wp.func
        def scaled_hessian(x: vector, p: SurfaceParameters):
            return p.narrow.loss_scale * hessian(x, own(p))

    if fused_first is None:
        height = scaled_value

        @wp.func
        def first(x: vector, p: SurfaceParameters):
            return scaled_value(x, p), scaled_gradient(x, p)

    else:

        @wp.func
        def height(x: vector, p: SurfaceParameters):
            return p.wide.loss_scale * value(x, own(p))

        @wp.func
        def first(x: vector, p: SurfaceParameters):
            f, g = fused_first(x, own(p))
            return p.wide.loss_scale * f, p.narrow.loss_scale * g

    if fused_second is None:

        @wp.func
        def second(x: vector, p: SurfaceParameters):
            return scaled_value(x, p), scaled_gradient(x, p), scaled_hessian(x, p)

    else:

        @wp.func
        def second(x: vector, p: SurfaceParameters):
            f, g, h = fused_second(x, own(p))
            return p.wide.loss_scale * f, p.narrow.loss_scale * g, p.narrow.loss_scale * h

    scaled_bounds = None
    if supplied.bounds is not None:
        bounds_of = supplied.bounds

        @wp.func
        def scaled_bounds(x: vector, reach: wp.float64, p: SurfaceParameters):
            slope, curvature = bounds_of(wide_vector(x), reach, p.wide)
            return p.wide.loss_scale * slope, p.wide.loss_scale * curvature

    scaled_ceiling = None
    if supplied.ceiling is not None:
        ceiling_of = supplied.ceiling

        @wp.func
        def scaled_ceiling(x: wide_vector, p: SurfaceParameters):
            scale = p.wide.loss_scale
            height, gradient, curvature = ceiling_of(x, p.wide)
            return scale * height, scale * gradient, scale * curvature

    domain = None
    if supplied.domain is not None:
        domain_of = supplied.domain

        @wp.func
        def domain(p: SurfaceParameters):
            low, high = domain_of(p.wide)
            return low, high

    derivatives = (height, scaled_gradient, scaled_hessian, first, second)
    proofs = (scaled_bounds, scaled_ceiling, domain)
    return SurfaceFunctions(SurfaceParameters, *derivatives, *proofs, supplied.cpu_flags, numeric.dim)


def kernel_options(functions: SurfaceFunctions) -> dict[str, Any]:
    """Module options for a kernel that calls ``functions``.

    In two dimensions and more, loops of more than four turns are not unrolled: at about the same speed a search in 16
    dimensions compiles in a tenth of the time. A kernel that Warp differentiates (``wp.grad``) has to unroll its loops
    and needs ``"max_unroll": 16``, Warp's default.
    """
    return {"cpu_compiler_flags": compiler_flags(functions.cpu_flags), "max_unroll": 16 if functions.dim == 1 else 4}


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
        f, g, h = second(x[i], p)
        height[i] = f
        gradient[i] = g
        hessian[i] = h

    return evaluate
