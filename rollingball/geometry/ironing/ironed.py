"""ironed: the loss that a ball of a given radius feels, as a Surface."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, positive_scalar
from rollingball.core.numeric import Numeric, fill, layout, struct
from rollingball.geometry.contact.contacts import Contacts, checked_box, contact_program, contacts, slope_program
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.contact.lowered_ball import contact_query, unbounded_query
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.hull import least_norm_program
from rollingball.geometry.search.minima import MOST, lowest_of, minima_struct
from rollingball.surfaces.base import Builder, LossFunctions, Surface, checked_surface
from rollingball.surfaces.inner import Inner, SurfaceKind

MOST_SAMPLES = 10**8  # of the approximation by a grid


@dataclass(frozen=True)
class SettingsKind:
    """What identifies the struct that holds the settings of a search: the names and kinds of its fields."""

    fields: tuple[tuple[str, Any], ...]

    def struct(self, numeric: Numeric) -> Any:
        """The type of the struct."""
        return struct(self.fields, numeric)


@dataclass(frozen=True, eq=False)
class Settings:
    """The settings of a search as a parameter of a surface."""

    values: dict[str, Any]

    @property
    def kind(self) -> SettingsKind:
        """What identifies the type of their struct."""
        return SettingsKind(layout(self.values))

    def record(self, numeric: Numeric, device: str) -> Any:
        """An instance of the struct with these values."""
        return fill(self.values, numeric, device)


@dataclass(frozen=True, eq=False)
class IronedSurface(Surface):
    """The upper offset of a graph as a graph itself: the result of :func:`ironed`.

    Its loss is (L f)_rho / L, so the graph of L times this loss is the offset. At a kink, where the ball has several
    contacts, :meth:`kinks` is true, ``gradient`` is the point of least norm in the convex hull of the slopes of the
    contacts, and ``hessian`` is NaN; kernels use the Hessian at the highest contact.
    """

    base: Surface | None = None
    radius: float = 0.0
    search: GlobalProjection | None = None

    def contacts(self, x: Any, device: str = "cpu") -> Contacts:
        """The contacts of balls above ``x`` (B, d), on the graph of L f."""
        return contacts(self.base, x, self.radius, self.search, device=device)  # type: ignore[arg-type]

    def kinks(self, x: Any, device: str = "cpu") -> np.ndarray:
        """Whether the ball has several contacts above ``x`` (B, d), so that f_rho has a kink: (B,)."""
        return self.contacts(x, device).count > 1

    def hessian(self, x: Any, device: str = "cpu") -> np.ndarray:
        """The Hessian at ``x`` (d,) or (B, d): (d, d) or (B, d, d), NaN at kinks."""
        hessian = super().hessian(x, device)
        kinks = self.kinks(x, device).reshape(hessian.shape[:-2])
        return np.where(kinks[..., None, None], np.nan, hessian)


def ironed(
    surface: Surface,
    radius: float,
    *,
    search: GlobalProjection | None = None,
    box: Any = None,
    spacing: float | None = None,
) -> Surface:
    """The ironed loss f_rho of a surface (theory, section 3), as a surface for methods, plots and optimizers.

    By default it is exact: each evaluation searches for the contacts of the ball. With ``box`` and ``spacing``, in d =
    1 and 2, it is the C2 spline through the dilation of samples (:func:`iron_grid`): fast to evaluate, with an error of
    the order of the spacing at kinks and of its square elsewhere.

    Args:
        surface: The surface.
        radius: The radius of the ball, in parameter units.
        search: The settings of the search for contacts.
        box: The box of the spline, (low, high) for each axis; there is no surface outside of it.
        spacing: The distance between samples, at most half the radius.

    Returns:
        An :class:`IronedSurface`, or a sampled surface where ``box`` is given.

    Raises:
        InputError: for an argument that cannot be used.
    """
    checked_surface(surface)
    positive_scalar("radius", radius)
    if (box is None) != (spacing is None):
        raise InputError("spacing", spacing, "box and spacing together, or neither")
    if box is not None:
        return _on_grid(surface, float(radius), box, positive_scalar("spacing", spacing))
    search = GlobalProjection() if search is None else search
    if not isinstance(search, GlobalProjection):
        raise InputError("search", search, "a GlobalProjection")
    settings = Settings(search.settings())
    inner = Inner(surface)
    params = {"ball": float(radius), "base_scale": float(surface.loss_scale), "base": inner, "search": settings}
    builder = _builder(inner.kind, settings.kind)
    return IronedSurface(
        f"ironed {surface.name}", surface.dim, builder, params, surface.loss_scale,
        base=surface, radius=float(radius), search=search,
    )  # fmt: skip


def _on_grid(surface: Surface, radius: float, box: Any, spacing: float) -> Surface:
    """The spline through the dilation of samples."""
    from rollingball.surfaces.sampled import sampled

    if surface.dim > 2:
        raise InputError("box", box, "nothing, for a surface in more than two dimensions")
    if spacing > radius / 2:
        raise InputError("spacing", spacing, f"at most half the radius, {radius / 2:g}")
    corners = checked_box("box", box, surface.dim)
    low, high = corners.T
    cells = np.maximum(np.ceil((high - low) / spacing).astype(int), 3)
    margin = np.ceil(radius * cells / (high - low))
    if np.prod(cells + 2 * margin + 1) > MOST_SAMPLES:
        raise InputError("spacing", spacing, f"a spacing that needs at most {MOST_SAMPLES:.0e} samples")
    heights, _feet = ironed_samples(surface, radius, corners, cells)
    return sampled(heights / surface.loss_scale, corners, loss_scale=surface.loss_scale)


def ironed_samples(
    surface: Surface, radius: float, corners: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The dilation of L f, sampled on an even grid over a box, its border, and a margin of one radius.

    Args:
        surface: The surface.
        radius: The radius of the ball, at least one spacing.
        corners: The box (d, 2).
        cells: The number of spacings along each axis (d,).

    Returns:
        The heights of the centre at the ``cells + 1`` grid points along each axis, and the points (..., d) touched.
    """
    from rollingball.geometry.ironing.iron_grid import iron_grid

    low, high = corners.T
    steps = (high - low) / cells
    margin = np.ceil(radius / steps).astype(int)
    axes = [low[i] + steps[i] * np.arange(-margin[i], cells[i] + margin[i] + 1) for i in range(surface.dim)]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    heights = surface.loss_scale * surface.value(mesh.reshape(-1, surface.dim)).reshape(mesh.shape[:-1])
    rolled = iron_grid(heights, steps, radius)
    inside = tuple(slice(m, m + n + 1) for m, n in zip(margin, cells, strict=True))
    return rolled.heights[inside], low + steps * (rolled.contact[inside] - margin)


@compiled
def _builder(base: SurfaceKind, search: SettingsKind) -> Builder:
    """The builder of ironed surfaces: each function searches for the contacts of the ball, in float64."""

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        wide = numeric.wide
        functions = base.functions(wide)
        vector, matrix, point = numeric.vector, numeric.matrix, wide.vector
        dim, minima_type, query = numeric.dim, minima_struct(wide), contact_query(wide)
        contact, slope_at = contact_program(functions, wide), slope_program(functions, wide)
        least_norm, hessian_of = least_norm_program(MOST, wide), height_hessian(functions, wide)
        unbounded = unbounded_query(wide)
        rows = wp.types.matrix((MOST, dim), wp.float64)
        infinite = wp.float64(float("inf"))

        @wp.func
        def rest(x: vector, p: Any):
            """The contacts of the ball that rests above x, and the query of the search for them."""
            q = unbounded(point(x), wp.float64(p.ball))
            return contact(q, p.base, p.search), q

        @wp.func
        def descent(minima: minima_type, q: query, p: Any):
            """The point of least norm in the convex hull of the slopes of the contacts."""
            table = rows()
            k = int(0)
            while k < minima.count:
                table[k] = slope_at(minima.points[k], minima.values[k], q, p.base)
                k += 1
            return least_norm(table, minima.count)

        @wp.func
        def curvature(minima: minima_type, q: query, p: Any):
            """The Hessian of the height of the ball, by its highest contact."""
            highest = lowest_of(minima)
            foot = minima.points[highest]
            slope = slope_at(foot, minima.values[highest], q, p.base)
            second_derivatives, _smooth = hessian_of(foot, slope, q.radius, p.base)
            return second_derivatives

        @wp.func
        def height_of(minima: minima_type, p: Any):
            # NaN without a contact, where there is no graph
            return wp.where(minima.count > 0, -minima.best, -infinite + infinite) / wp.float64(p.base_scale)

        @wp.func
        def value(x: vector, p: Any):
            minima, _q = rest(x, p)
            return height_of(minima, p)

        @wp.func
        def first(x: vector, p: Any):
            minima, q = rest(x, p)
            return height_of(minima, p), vector(descent(minima, q, p) / wp.float64(p.base_scale))

        @wp.func
        def second(x: vector, p: Any):
            minima, q = rest(x, p)
            scale = wp.float64(p.base_scale)
            return height_of(minima, p), vector(descent(minima, q, p) / scale), matrix(curvature(minima, q, p) / scale)

        @wp.func
        def gradient(x: vector, p: Any):
            _height, slope = first(x, p)
            return slope

        @wp.func
        def hessian(x: vector, p: Any):
            _height, _slope, curved = second(x, p)
            return curved

        return LossFunctions(value, gradient, hessian, first, second, cpu_flags=functions.cpu_flags)

    return build
