"""What a run is, whatever method made it: its record, its file, and comparisons of runs."""
