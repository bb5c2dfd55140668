"""The figures of the paper, each in its readings, and a report that says what agrees with what was published."""
