"""Whole figures of several panels."""
