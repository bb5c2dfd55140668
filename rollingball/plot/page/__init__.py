"""The interactive page: a landscape with balls that a browser shows."""
