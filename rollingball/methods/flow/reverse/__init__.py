"""The reverse mode of a flow: cotangents from the last step to the first, by vector-Jacobian products."""
