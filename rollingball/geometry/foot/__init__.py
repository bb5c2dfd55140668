"""Footpoints: the point of the graph that is nearest to a centre, or one where the graph is perpendicular to it."""
