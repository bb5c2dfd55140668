"""Runs on their landscape as files of other tools: glTF, USD, Rerun."""
