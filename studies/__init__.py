"""The evidence: what a rolling ball does for training, measured. ``python -m studies --help``."""
