"""Numbers of the paper, for comparison only: SE-ResNet50, the full data sets.

Ki, Uh, Choe, Byun, "Contrastive Attention Maps for Self-supervised Co-localization", ICCV 2021, supplement: Tables 1
and 2 on CUB with rotation, Table 3 at IoU 0.5. Figure 1 gives no numbers; its best k is 0.7.
"""

__all__ = ["PAPER", "PAPER_TABLE3"]

PAPER: dict[str, dict[str, dict[str, float]]] = {
    "table1": {
        "train": {"0.3": 97.04, "0.5": 81.29, "0.7": 35.12, "mean": 71.15},
        "train-test": {"0.3": 97.30, "0.5": 83.65, "0.7": 38.64, "mean": 73.20},
    },
    "table2": {
        "channel": {"0.3": 96.63, "0.5": 80.66, "0.7": 35.27, "mean": 70.86},
        "pixel": {"0.3": 97.30, "0.5": 83.65, "0.7": 38.64, "mean": 73.20},
    },
}
"""Scores by experiment and cell."""

PAPER_TABLE3: dict[str, dict[str, float]] = {
    "R+S-baseline": {"CUB": 79.98, "Cars": 91.19, "Aircraft": 91.11, "Dogs": 76.84},
    "R+S-ours": {"CUB": 85.88, "Cars": 97.26, "Aircraft": 96.60, "Dogs": 82.82},
    "S+T-baseline": {"CUB": 35.98, "Cars": 42.86, "Aircraft": 68.22, "Dogs": 34.86},
    "S+T-ours": {"CUB": 84.15, "Cars": 97.50, "Aircraft": 96.72, "Dogs": 83.62},
}
"""CorLoc at 0.5 by cell of Table 3 and data set."""
