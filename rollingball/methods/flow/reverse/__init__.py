"""The derivative of a flow backwards through its steps."""
