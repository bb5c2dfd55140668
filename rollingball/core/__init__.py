"""What every part stands on: errors, statuses, the ball, Warp types, launches and files."""
