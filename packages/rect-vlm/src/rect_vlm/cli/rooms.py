"""`rect embed`, `classify`, `localize` and `report`: one room at a time, results on standard output."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.folders import check_place, check_root, whole_folder
from rect_core.masks import replacing
from rect_vlm.cases import Case, find_cases
from rect_vlm.cli.common import Commands, add_model, add_scans, load_model, stderr, stdout, threshold
from rect_vlm.cli.show import BANNERS, lesions_table, scores_table
from rect_vlm.model import ReCTVLM
from rect_vlm.outputs import write_lesions
from rect_vlm.pipeline import Request, encode, run
from rect_vlm.prompting import Prompting

Room = Callable[[ReCTVLM, Request, argparse.Namespace], dict[str, Any]]


def add_parser(commands: Commands) -> None:
    """Adds the four commands."""
    embed = _add(commands, "embed", _embed, "one vector a scan")
    embed.add_argument(
        "--out", metavar="FILE.npz", help="write the vectors, case_ids and vectors, instead of printing JSON"
    )
    embed.add_argument("--force", action="store_true", help="replace a file that is there already")
    classify = _add(commands, "classify", _classify, "scores of the 18 findings, or of your own prompts")
    classify.add_argument(
        "--threshold", type=threshold, help="cut for all findings (default: the weights' operating points)"
    )
    localize = _add(commands, "localize", _localize, "lesions and masks of the five findings, or of your own prompts")
    localize.add_argument(
        "--threshold", type=threshold, help="cut for the masks (default: the weights' operating points)"
    )
    localize.add_argument("--out", metavar="DIR", help="write the masks to DIR/<case_id>/")
    localize.add_argument("--force", action="store_true", help="replace masks that are there already")
    for command in (classify, localize):
        command.add_argument(
            "--prompt", action="append", default=[], metavar="TEXT", help="look for this instead; may be repeated"
        )
        command.add_argument(
            "--text-encoder", metavar="FOLDER", help="text encoder for --prompt: the one the weights were trained with"
        )
    _add(commands, "report", _report, "the report alone")


def _add(commands: Commands, name: str, room: Room, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text)
    add_scans(command)
    add_model(command)
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_run, room=room, prompt=[], text_encoder=None, threshold=None)
    return command


def _run(options: argparse.Namespace) -> int:
    cases = find_cases(options.scans, regions=Path(options.regions) if options.regions else None)
    _check_outputs(cases, options)
    prompting = Prompting.load(options.prompt, options.text_encoder) if options.prompt else None
    model = load_model(options)
    results, failed = _each(model, cases, options, prompting)
    if options.command == "embed" and options.out and results:
        _write_vectors(Path(options.out), results)
    elif options.json or options.command == "embed":
        print(json.dumps({"cases": results, "failed": failed}, indent=None if options.command == "embed" else 2))
    for failure in failed:
        stderr().print(f"failed: {failure['case_id']}: {failure['error']}", style="red", markup=False)
    return 1 if failed else 0


def _check_outputs(cases: list[Case], options: argparse.Namespace) -> None:
    """Refuses what could not be written, before any work."""
    if options.text_encoder is not None and not options.prompt:
        raise ValueError("--text-encoder is for prompts of your own: give --prompt TEXT too, or leave it out")
    if options.command == "embed":
        _check_vectors_file(options)
    elif options.command == "localize" and options.out:
        check_root(Path(options.out))
        for case in cases:
            check_place(Path(options.out) / case.case_id, force=options.force, ours=_is_masks)


def _is_masks(folder: Path) -> bool:
    """Whether a folder holds nothing but masks that `rect localize` wrote."""
    return all(path.name.startswith((*LOCALIZED, "prompt_")) for path in folder.iterdir())


def _check_vectors_file(options: argparse.Namespace) -> None:
    path = Path(options.out or "vectors.npz")
    if path.suffix != ".npz":
        raise ValueError(f"--out {path.name}: vectors are written as .npz")
    if path.is_dir() or not path.parent.is_dir():
        raise ScanError("output", f"--out {path.name}: give a file in a folder that exists")
    if options.out and path.exists() and not options.force:
        raise ScanError("output", f"{path.name} exists: give --force to replace it")


def _write_vectors(path: Path, results: list[dict[str, Any]]) -> None:
    """case_ids [n] and vectors [n c], put in place at the end."""
    vectors = np.array([result["vector"] for result in results], np.float32)
    with replacing(path) as file:
        np.savez(file, case_ids=np.array([result["case_id"] for result in results]), vectors=vectors)


def _each(
    model: ReCTVLM, cases: list[Case], options: argparse.Namespace, prompting: Prompting | None
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    results, failed = [], []
    if not options.json and model.weights_status != "clinical-data":
        stderr().print(BANNERS[model.weights_status], style="bold yellow")
    for case in cases:
        request = Request(
            source=case.path,
            regions=case.regions,
            case_id=case.case_id,
            allow_tilt=options.allow_tilt,
            prompting=prompting,
            classification_threshold=options.threshold if options.command == "classify" else None,
            localization_threshold=options.threshold if options.command == "localize" else None,
        )
        try:
            results.append({"case_id": case.case_id, **options.room(model, request, options)})
        except ScanError as error:
            failed.append({"case_id": case.case_id, "error": str(error)})
    return results, failed


def _embed(model: ReCTVLM, request: Request, options: argparse.Namespace) -> dict[str, Any]:
    del options
    tokens = encode(model, request).tokens
    return {"weights_status": model.weights_status, "vector": tokens.pooled[0].float().cpu().tolist()}


def _classify(model: ReCTVLM, request: Request, options: argparse.Namespace) -> dict[str, Any]:
    scores = run(model, request, tasks=("classification",)).classification
    if not options.json:
        stdout().print(scores_table(scores, title=f"Findings of {request.case_id}"))
    return {"weights_status": model.weights_status, "scores": scores.to_json()}


def _localize(model: ReCTVLM, request: Request, options: argparse.Namespace) -> dict[str, Any]:
    out = run(model, request, tasks=("localization",))
    if options.out:
        with whole_folder(Path(options.out) / out.record.case_id, force=options.force, ours=_is_masks) as folder:
            write_lesions(out, folder)
    if not options.json:
        nothing = f"{request.case_id}: no lesion outlined"
        stdout().print(lesions_table(out.lesions.items) if out.lesions.items else nothing, markup=False)
    return {
        "weights_status": model.weights_status,
        "asked": list(out.lesions.asked),
        "lesions": [lesion.to_json() for lesion in out.lesions],
    }


def _report(model: ReCTVLM, request: Request, options: argparse.Namespace) -> dict[str, Any]:
    report = run(model, request).report
    assert report is not None
    if not options.json:
        stdout().print(report.text, markup=False)
    return {"weights_status": model.weights_status, "report": report.to_json()}
