"""The optimizer for torch models."""
