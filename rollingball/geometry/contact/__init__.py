"""Contacts: where a ball that is lowered onto the graph touches it."""
