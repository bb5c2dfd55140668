"""Integrators of ordinary differential equations, as Warp functions."""
