"""What all pictures share: style, checked input, words, extents, files."""
