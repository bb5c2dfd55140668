"""The forward mode of a flow: changes along directions, by Jacobian-vector products."""
