"""Asks a model about every case. Each answer is checked, kept at once, and never asked for again by a later run."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from rect_core.errors import DataError
from rect_core.types import Reasoning
from rect_data.cot.answer import AnswerError, parse_reasoning
from rect_data.cot.backend import Backend, Reply, Unanswered
from rect_data.cot.cases import CotCase
from rect_data.cot.lines import Ledger, only_one
from rect_data.cot.pace import Pace, Turnstile
from rect_data.cot.prompt import PROMPT, Message, Prompt
from rect_data.cot.records import ANSWERS, FAILURES, Making, Record, copied

Progress = Callable[[int, int, str], None]
"""Called with how many cases are settled, of how many, and the name of the last; from any thread, one at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What became of the cases: cases = before + answered + failed + left.

    before: answered by earlier runs. left: not settled because the run ended early, for the reason `stopped`. reasons:
    how often an attempt went wrong, by kind, retried ones included. repaired: half a line was found and removed.
    """

    cases: int
    before: int
    answered: int
    failed: int
    reasons: Mapping[str, int]
    stopped: str = ""
    repaired: bool = False

    @property
    def left(self) -> int:
        """Cases that the next run has to ask about, besides the failed ones."""
        return self.cases - self.before - self.answered - self.failed


def generate(
    cases: Sequence[CotCase],
    backend: Backend,
    output: Path,
    *,
    prompt: Prompt = PROMPT,
    pace: Pace | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Summary:
    """Appends a record a case to `reasoning.jsonl`, and to `failures.jsonl` why a case has none.

    A record is {"VolumeName", "reasoning", "provenance": {model, revision, settings, prompt, prompt_version, input,
    time, attempts}}. Cases with the same text are asked about once. Raises DataError when the folder holds answers of
    another model, prompt or setting, or to another text of a case, and when another run is writing there.
    """
    names = Counter(case.case_id for case in cases)
    if len(names) < len(cases):
        raise DataError(f"case {names.most_common(1)[0][0]!r} is given twice: give every case once")
    with only_one(output):
        run = _Run(Making(backend=backend, prompt=prompt), output, pace or Pace(), progress)
        return run.all(cases, workers)


@dataclass
class _Count:
    """What this run has done so far, by any thread."""

    total: int = 0
    settled: int = 0
    answered: int = 0
    failed: int = 0
    silent: int = 0
    stopped: str = ""
    reasons: Counter[str] = field(default_factory=Counter)


class _Run:
    """One run over one output folder."""

    def __init__(self, making: Making, output: Path, pace: Pace, progress: Progress | None) -> None:
        self.making, self.pace, self.progress = making, pace, progress
        self.answers, self.failures = Ledger(output / ANSWERS), Ledger(output / FAILURES)
        self.stop, self.lock, self.count = Event(), Lock(), _Count()
        self.turnstile = Turnstile(pace.per_minute, self.stop.wait)

    def all(self, cases: Sequence[CotCase], workers: int) -> Summary:
        """Settles every case that is not settled yet."""
        done = self.making.done(self.answers.records, cases)
        groups: dict[str, list[CotCase]] = {}
        for case in cases:
            groups.setdefault(case.fingerprint, []).append(case)
        before = sum(case.case_id in done for case in cases)
        self.count.settled, self.count.total = before, len(cases)
        todo = [rest for group in groups.values() if (rest := self._copy(group, done))]
        self._threads(todo, workers)
        return Summary(
            cases=len(cases),
            before=before,
            answered=self.count.answered,
            failed=self.count.failed,
            reasons=dict(self.count.reasons),
            stopped=self.count.stopped,
            repaired=self.answers.repaired or self.failures.repaired,
        )

    def _threads(self, todo: Sequence[Sequence[CotCase]], workers: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(self._one, group) for group in todo]
            try:
                for job in as_completed(jobs):
                    job.result()
            finally:
                self.stop.set()  # on Ctrl-C or a full disk, the jobs that have not begun return at once

    def _copy(self, group: Sequence[CotCase], done: Mapping[str, Record]) -> list[CotCase]:
        """The cases of a group that are still to be asked about: none once a case with the same text is answered."""
        rest = [case for case in group if case.case_id not in done]
        same = next((done[case.case_id] for case in group if case.case_id in done), None)
        if same is None or not rest:
            return rest
        self.answers.append([copied(same, case) for case in rest])
        self._settle(rest, failed=False)
        return []

    def _one(self, group: Sequence[CotCase]) -> None:
        """Settles the cases of one text, unless the run is to stop."""
        asking = self.making.prompt.messages(group[0])
        for attempt in range(1, self.pace.attempts + 1):
            self.turnstile.wait()
            if self.stop.is_set():
                return
            try:
                reply = self.making.backend.ask(asking)
            except Unanswered as error:
                if not self._again(group, attempt, error):
                    return
                continue
            better = self._take(group, reply, attempt)
            if better is None:
                return
            asking = better

    def _take(self, group: Sequence[CotCase], reply: Reply, attempt: int) -> list[Message] | None:
        """Keeps the answer, or gives the words that ask for a better one; None when the cases are settled."""
        try:
            reasoning = self._read(reply, group[0])
        except AnswerError as error:
            self._note("answer", str(error))
            if attempt < self.pace.attempts:
                return self.making.prompt.again(group[0], reply.text, str(error))
            self._fail(group, attempt, f"answer: {error}", reply)
            return None
        self.answers.append([self.making.answered(case, reasoning, reply, attempt) for case in group])
        self._settle(group, failed=False)
        return None

    def _read(self, reply: Reply, case: CotCase) -> Reasoning:
        """The reasoning of a reply. Any reply shows that the server is there."""
        with self.lock:
            self.count.silent = 0
        try:
            return parse_reasoning(reply.text, case.evidence, example=self.making.prompt.example)
        except AnswerError as error:
            if reply.cut:
                raise AnswerError("it was cut off at the limit of tokens: be shorter") from error
            raise

    def _again(self, group: Sequence[CotCase], attempt: int, error: Unanswered) -> bool:
        """Whether to ask once more, after the wait; if not, the cases have failed or the run is to stop."""
        self._note("no answer", str(error))
        if error.fatal:
            self._halt(str(error))
        elif error.wait_s > self.pace.longest_pause_s:
            self._halt(f"{error}: the server asks to be left alone for {error.wait_s:.0f} s: run again then")
        elif error.retry and attempt < self.pace.attempts:
            self.stop.wait(self.pace.wait_s(attempt, error.wait_s))
            return True
        else:
            self._fail(group, attempt, f"no answer: {error}", None)
            self._silence(str(error), 1 if error.retry else 0)
        return False

    def _silence(self, reason: str, more: int) -> None:
        """Counts cases without any answer; after too many in a row the server is down, not the case at fault."""
        with self.lock:
            self.count.silent = self.count.silent + 1 if more else 0
            ended = self.count.silent >= self.pace.silent
        if ended:
            self._halt(f"no answer to {self.pace.silent} cases in a row, the last: {reason}")

    def _halt(self, reason: str) -> None:
        with self.lock:
            self.count.stopped = self.count.stopped or reason
        self.stop.set()

    def _note(self, kind: str, reason: str) -> None:
        short = reason.partition(" (")[0]
        with self.lock:
            self.count.reasons[f"{kind}: {short}"] += 1

    def _fail(self, group: Sequence[CotCase], attempt: int, reason: str, reply: Reply | None) -> None:
        self.failures.append([self.making.failed(case, reason, reply, attempt) for case in group])
        self._settle(group, failed=True)

    def _settle(self, group: Sequence[CotCase], *, failed: bool) -> None:
        with self.lock:
            count = self.count
            count.settled += len(group)
            count.failed += len(group) if failed else 0
            count.answered += 0 if failed else len(group)
            if self.progress is not None:
                self.progress(count.settled, count.total, group[-1].case_id)
