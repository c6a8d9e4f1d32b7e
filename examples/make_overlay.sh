#!/usr/bin/env bash
# Makes the README's image: the whole example set is scored, and six images that may be changed freely are shown.
set -euo pipefail
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
colocalize score examples/images examples/without --out "$results" --overlays --no-resume
python - "$results" <<'PYTHON'
import json
import sys
from pathlib import Path

from scoring.contact_sheet import Tile, contact_sheet

results = Path(sys.argv[1])
records = {one["path"]: one for one in map(json.loads, (results / "predictions.jsonl").read_text().splitlines())}
shown = ["kingfisher.jpg", "domestic_duck.jpg", "osprey.jpg", "scarlet_macaw.jpg", "wren.jpg", "lake.jpg"]
tiles = [
    Tile(name, results / "overlays" / name, None if records[name]["contains_common_object"] else "no common object")
    for name in shown
]
Path("docs/figures").mkdir(exist_ok=True)
contact_sheet(tiles).save("docs/figures/overlay.jpg", quality=88)
PYTHON
