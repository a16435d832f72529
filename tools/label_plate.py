"""Draws docs/phantom_labels.png, one crop a label: `python tools/label_plate.py [--out FILE]`."""

import argparse
from pathlib import Path

from rect_data.phantom.config import PhantomConfig
from rect_data.tree.plate import label_plate

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description="One crop of a phantom for each of the 18 labels.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "phantom_labels.png", metavar="FILE")
    options = parser.parse_args()
    label_plate(options.out, PhantomConfig())


if __name__ == "__main__":
    main()
