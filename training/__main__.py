"""`python -m training`, for torchrun."""

from training.cli import app

if __name__ == "__main__":
    app(prog_name="colocalize train")
