"""Reasoning in steps from reports or described findings: `python tools/generate_cot.py --input-dir IN --output-dir OUT
--model-name NAME`, with a model on this machine or, with --url, behind an OpenAI-compatible endpoint.

Stopped runs go on where they were, and failed cases are asked about again.
"""

import argparse
import os
import sys
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rect_core.errors import DataError
from rect_data.cot.backend import Backend
from rect_data.cot.cases import Inputs, read_inputs
from rect_data.cot.endpoint import Endpoint
from rect_data.cot.generate import Summary, generate
from rect_data.cot.local import LocalModel
from rect_data.cot.pace import Pace
from rect_data.cot.records import ANSWERS, FAILURES
from rect_data.cot.remote import Address, address, check_remote, from_ct_rate


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Stepwise reasoning from reports or described findings, by an LLM.")
    out.add_argument("--input-dir", type=Path, required=True, help="*.jsonl findings, reports, a manifest, or CT-RATE")
    out.add_argument("--output-dir", type=Path, required=True, help=f"gets {ANSWERS} and {FAILURES}")
    out.add_argument("--model-name", required=True, help="folder, .gguf file or Hub id; with --url the endpoint's name")
    out.add_argument("--revision", help="of a Hub id")
    out.add_argument("--url", help="base URL of an OpenAI-compatible endpoint, such as http://localhost:8000/v1")
    out.add_argument("--key-env", metavar="NAME", help="environment variable that holds the endpoint's key")
    out.add_argument("--max-new-tokens", type=int, default=1024, help="of one answer (default: 1024)")
    out.add_argument("--timeout", type=float, default=120.0, help="seconds for one answer (default: 120)")
    out.add_argument("--attempts", type=int, default=5, help="a case (default: 5)")
    out.add_argument("--rate", type=float, default=0.0, help="requests a minute (default: no limit)")
    out.add_argument("--workers", type=int, default=1, help="requests at a time, with --url (default: 1)")
    out.add_argument("--limit", type=int, help="only the first cases")
    out.add_argument("--allow-remote-text", action="store_true", help="texts may leave this machine")
    out.add_argument("--i-have-permission", action="store_true", help="to hand on texts of CT-RATE")
    return out


def main() -> int:
    """0 done, 1 cases failed or are left, 2 bad usage."""
    options = parser().parse_args()
    try:
        pace = Pace(attempts=options.attempts, per_minute=options.rate)
        inputs = _inputs(options)
        backend = _backend(options, inputs)
        summary = _run(options, inputs, backend, pace)
    except (DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: what was answered is kept, run again to go on", file=sys.stderr)
        return 1
    return _report(summary, options.output_dir)


def _inputs(options: argparse.Namespace) -> Inputs:
    if options.output_dir.resolve() == options.input_dir.resolve():
        raise DataError("--output-dir is --input-dir, whose *.jsonl files are read: give another")
    if options.limit is not None and options.limit < 1:
        raise DataError(f"--limit {options.limit}: give 1 or more, or leave it out")
    inputs = read_inputs(options.input_dir)
    files = ", ".join(file.name for file in inputs.files)
    print(f"{len(inputs.cases)} cases in {files}; {len(inputs.skipped)} without a text to ask about", file=sys.stderr)
    return inputs


def _backend(options: argparse.Namespace, inputs: Inputs) -> Backend:
    if options.url is None:
        if options.key_env or options.workers != 1:
            raise DataError("--key-env and --workers belong to an endpoint: give --url too")
        return LocalModel(options.model_name, revision=options.revision, max_new_tokens=options.max_new_tokens)
    to = address(options.url)
    _announce(to, options, inputs)
    key = os.environ.get(options.key_env, "").strip() if options.key_env else ""
    if options.key_env and not key:
        raise DataError(f"--key-env {options.key_env}: no such variable in the environment: set it to the key")
    return Endpoint(to, options.model_name, key=key, timeout_s=options.timeout, max_new_tokens=options.max_new_tokens)


def _announce(to: Address, options: argparse.Namespace, inputs: Inputs) -> None:
    """Host and number of records, before anything is sent."""
    records = len(inputs.cases[: options.limit])
    if not to.local:
        print(f"host {to.host}{'' if to.encrypted else ', not encrypted'}: {records} records", file=sys.stderr)
    names = (name for case in inputs.cases for name in (case.case_id, *case.images))
    theirs = from_ct_rate(inputs.files, names)
    allowed, permitted = options.allow_remote_text, options.i_have_permission
    check_remote(to, records, ct_rate_texts=theirs, allowed=allowed, permitted=permitted)


def _run(options: argparse.Namespace, inputs: Inputs, backend: Backend, pace: Pace) -> Summary:
    cases = inputs.cases[: options.limit]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    plain = not sys.stderr.isatty()
    with Progress(*columns, disable=plain) as bar:
        task = bar.add_task("reasoning", total=len(cases))

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, description=name)
            if plain and (done % 25 == 0 or done == total):
                print(f"{done}/{total} {name}", file=sys.stderr)

        return generate(cases, backend, options.output_dir, pace=pace, workers=options.workers, progress=progress)


def _report(summary: Summary, output: Path) -> int:
    if summary.repaired:
        print("a half-written line of a stopped run was removed", file=sys.stderr)
    counts = f"{summary.before} before, {summary.answered} answered, {summary.failed} failed, {summary.left} left"
    print(f"{summary.cases} cases: {counts}; see {output / ANSWERS}")
    for reason, number in sorted(summary.reasons.items(), key=lambda item: -item[1]):
        print(f"  {number:5d} x {reason}")
    print(f"stopped: {summary.stopped}\n" if summary.stopped else "", end="", file=sys.stderr)
    return 1 if summary.failed or summary.left else 0


if __name__ == "__main__":
    sys.exit(main())
