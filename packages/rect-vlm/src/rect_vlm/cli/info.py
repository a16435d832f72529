"""`rect info`: versions, device and what the weights are."""

import argparse
import json
from importlib.util import find_spec
from typing import Any

import torch
from rich.markup import escape
from rich.table import Table

from rect_vlm.cli.common import Commands, load_model, pick_device, stdout
from rect_vlm.presets import PRESETS
from rect_vlm.runinfo import versions


def add_parser(commands: Commands) -> None:
    """Adds the command and its options."""
    command = commands.add_parser("info", help="versions, device, presets; with --model its size and fingerprints")
    command.add_argument(
        "--model", metavar="NAME", help="weights: folder, installed package, Hub id, or untrained:tiny"
    )
    command.add_argument("--device", default="auto", help=argparse.SUPPRESS)
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints what is installed and, if asked, what a model is."""
    facts = {**versions(), "device": str(pick_device("auto")), "threads": torch.get_num_threads()}
    facts |= {"installed weights": "rect-tiny" if find_spec("rect_tiny") else "none", "presets": ", ".join(PRESETS)}
    if options.model:
        facts |= _model_facts(options)
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    table = Table(show_header=False)
    for name, value in facts.items():
        table.add_row(name, escape(str(value)))
    stdout().print(table)
    return 0


def _model_facts(options: argparse.Namespace) -> dict[str, Any]:
    model = load_model(options)
    facts: dict[str, Any] = {"model": model.name, "weights status": model.weights_status}
    for part, module in model.modules.items():
        count = sum(p.numel() for p in module.parameters())
        facts[part] = f"{count / 1e6:.1f} M parameters, fingerprint {module.fingerprint[:12]}"
    return facts
