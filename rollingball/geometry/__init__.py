"""The geometry of a graph: normal, footpoint, projection, nearest point. Warp functions, called by kernels."""
