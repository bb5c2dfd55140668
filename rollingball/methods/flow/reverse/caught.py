"""A step of CatchUp backwards, by the implicit function theorem (theory, section 12).

The centre y after a step, the weights w of the contacts that carry the ball and its height t obey

    sum_k w_k g_k(y) + s (y - x) = 0,    H_k(y) = t,    sum_k w_k = 1,

with H_k the height of the ball on the contact k, g_k its gradient, and the stiffness s = L / h, with the ambient metric
times 1 + |m|^2, m the mixture of the slopes at x. With the Hessians B_k of the heights and Q = sum_k w_k B_k + s, the
cotangent of y is carried by l and by numbers mu_k of sum 0 that solve

    Q l + sum_k mu_k g_k = bar,    l . (g_k - g_0) = 0:

x gets s l, g_k where its centre stays gets -w_k l, H_k gets -mu_k, and s gets -l . (y - x).
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.hull import hull_program
from rollingball.geometry.linear import gauss_solve
from rollingball.geometry.normal import steepness
from rollingball.geometry.search.minima import MOST
from rollingball.methods.flow.crease import memory_struct
from rollingball.methods.flow.reverse.contacts import contact_vjp
from rollingball.methods.flow.reverse.vjp import Entry, point_recorder
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct

LEAST = wp.constant(wp.float64(1e-10))  # the weight of a contact that only just carries the ball


@compiled
def caught_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of what a step depends on."""
    wide = numeric.wide.vector

    @wp.struct
    class Caught:
        x: wide  # of the centre before it
        carried: wide  # of the mixture of the slopes there
        h: wp.float64
        radius: wp.float64
        scale: wp.float64  # of log L
        status: int

    return Caught


@compiled
def caught_vjp(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """``caught(x, carried, y, Memory, h, cotangent, of carried, entry, p, points) -> Caught``: the vjp of a step.

    The Memory holds the contacts at y; ``carried`` and its cotangents are the mixtures of the slopes at x and at y.
    """
    dim, wide, parameters, memory = numeric.dim, numeric.wide.vector, functions.parameters, memory_struct(numeric)
    matrix, caught_type, points_type = numeric.wide.matrix, caught_struct(numeric), inner_struct(numeric)
    rows, weights_type = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(MOST, wp.float64)
    most = min(MOST, dim + 1)  # contacts whose slopes differ in all directions; of more the weights are not determined
    size = dim + most - 1
    square, column = wp.types.matrix((size, size), wp.float64), wp.types.vector(size, wp.float64)
    hessian_of, affine = height_hessian(functions, numeric), hull_program(MOST, numeric).affine
    vjp, record = contact_vjp(functions, numeric), point_recorder(numeric)
    first, vector, slowed = functions.first, numeric.vector, 1 if ambient else 0
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def weights_at(contacts: memory, pull: wide):
        """The weights with which the slopes balance the pull back to x."""
        pulled = rows()
        present = weights_type()
        for k in range(MOST):
            if k < contacts.count:
                pulled[k] = contacts.slopes[k] + pull
                present[k] = one
        return affine(pulled, present, contacts.count)

    @wp.func
    def solved(contacts: memory, weights: weights_type, stiffness: wp.float64, cotangent: wide, p: parameters):
        """The l and mu of all contacts but the first, in one column; false where a contact is on a ridge."""
        q = matrix()
        smooth = bool(True)
        k = int(0)
        while k < contacts.count:
            hessian, fine = hessian_of(contacts.feet[k], contacts.slopes[k], contacts.radius, p)
            q += weights[k] * hessian
            smooth = smooth and fine
            k += 1
        a = square()
        right = column()
        for i in range(size):
            if i < dim:
                right[i] = cotangent[i]
                for j in range(dim):
                    a[i, j] = q[i, j]
                a[i, i] += stiffness
            elif i - dim + 1 < contacts.count:
                for j in range(dim):
                    a[i, j] = contacts.slopes[i - dim + 1, j] - contacts.slopes[0, j]
                    a[j, i] = a[i, j]
            else:
                a[i, i] = one
        return gauss_solve(a, right), smooth

    @wp.func
    def caught(
        x: wide,
        carried: wide,
        y: wide,
        contacts: memory,
        h: wp.float64,
        cotangent: wide,
        of_carried: wide,
        entry: Entry,
        p: parameters,
        points: points_type,
    ):
        result = caught_type()
        slow = one
        if slowed == 1:
            slow += wp.dot(carried, carried)
        stiffness = p.wide.loss_scale / h * slow
        way = y - x
        weights = weights_at(contacts, stiffness * way)
        # the mixture of the slopes at y is -s (y - x)
        solution, smooth = solved(contacts, weights, stiffness, cotangent - stiffness * of_carried, p)
        along = wide()
        for i in range(dim):
            along[i] = solution[i]
        by_stiffness = -wp.dot(way, along + of_carried)
        result.x = stiffness * (along + of_carried)
        result.h = -by_stiffness * stiffness / h
        result.scale = by_stiffness * stiffness
        if slowed == 1:
            result.carried = (two * by_stiffness * p.wide.loss_scale / h) * carried
        first_mu = zero
        for k in range(1, most):
            if k < contacts.count:
                first_mu -= solution[dim + k - 1]
        k = int(0)
        while k < contacts.count and k < most:
            mu = first_mu
            for j in range(1, most):
                if j == k:
                    mu = solution[dim + j - 1]
            foot = contacts.feet[k]
            slope = contacts.slopes[k]
            part = vjp(foot, slope, contacts.radius, wide(), -weights[k] * along, p)
            height, _gradient = first(vector(foot), p)
            result.radius += part.radius - mu * steepness(slope)
            result.scale += part.scale - mu * height
            if result.status == FOUND:
                result.status = part.status
            record(points, entry, k, foot, -mu, part.slope)
            if contacts.count > 1 and not (weights[k] > LEAST):
                result.status = KINK  # it only just carries the ball
            k += 1
        if contacts.count > most or not smooth:
            result.status = KINK
        if result.status == FOUND and not wp.isfinite(wp.length_sq(result.x) + result.radius + result.scale):
            result.status = NOT_FINITE
        return result

    return caught
