"""Flows: the continuous-time limits of the rolling ball."""
