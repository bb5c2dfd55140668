"""``python -m rollingball``."""

from rollingball.app.cli import main

if __name__ == "__main__":
    main()
