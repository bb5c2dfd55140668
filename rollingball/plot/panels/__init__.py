"""Drawings on one pair of axes."""
