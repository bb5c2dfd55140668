"""The ground floor of the package: errors, statuses, the ball, Warp types, kernel launches and files."""
