"""`python -m training.experiments`."""

from training.experiments.cli import app

if __name__ == "__main__":
    app(prog_name="python -m training.experiments")
