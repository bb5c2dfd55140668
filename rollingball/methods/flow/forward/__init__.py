"""The derivative of a flow along tangents."""
