"""Derivatives of whole runs: rollouts backwards, rollouts of tangents, and the parameters of surfaces."""
