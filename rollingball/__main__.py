"""``python -m rollingball``."""

from rollingball.cli import main

if __name__ == "__main__":
    main()
