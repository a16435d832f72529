"""What a run writes down of a case, and which records of earlier runs it may go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.types import Reasoning
from rect_data.cot.backend import Backend, Reply
from rect_data.cot.cases import CotCase
from rect_data.cot.prompt import Prompt

Record = Mapping[str, Any]

ANSWERS: Final = "reasoning.jsonl"
FAILURES: Final = "failures.jsonl"
_KEPT: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """By which model, with which settings and prompt, a run's records are made."""

    backend: Backend
    prompt: Prompt

    def answered(self, case: CotCase, reasoning: Reasoning, reply: Reply, attempts: int) -> Record:
        """The record of an answered case, in the form of a phantom tree's reasoning files plus `provenance`."""
        made = {**self._made(case, attempts), "revision": reply.revision}
        return {"VolumeName": f"{case.case_id}.nii.gz", "reasoning": reasoning.to_json(), "provenance": made}

    def failed(self, case: CotCase, reason: str, reply: Reply | None, attempts: int) -> Record:
        """The record of a case without an answer that can be used, with the start of the last one."""
        said = {"answer": reply.text[:_KEPT]} if reply is not None else {}
        made = {**self._made(case, attempts), "revision": reply.revision if reply is not None else ""}
        return {"VolumeName": f"{case.case_id}.nii.gz", "reason": reason, **said, "provenance": made}

    def done(self, records: Sequence[Record], cases: Sequence[CotCase]) -> dict[str, Record]:
        """The records of earlier runs by case. Raises DataError for one of another making or to another text."""
        asked = {case.case_id: case.fingerprint for case in cases}
        found: dict[str, Record] = {}
        for number, record in enumerate(records, 1):
            where, made = f"{ANSWERS}, record {number}", record.get("provenance")
            case_id = str(record.get("VolumeName", "")).removesuffix(".nii.gz")
            if not isinstance(made, dict) or not case_id or case_id in found:
                raise DataError(f"{where}: has no name or provenance, or is there twice: mend it or give a new folder")
            for key, value in self._fixed().items():
                if made.get(key) != value:
                    raise DataError(f"{where}: was made with {key} {made.get(key)!r}, not {value!r}: give a new folder")
            if made.get("input") != asked.get(case_id, made.get("input")):
                raise DataError(f"{where}: the text of {case_id!r} has changed since: give a new folder")
            found[case_id] = record
        return found

    def _fixed(self) -> dict[str, Any]:
        return {"model": self.backend.name, "settings": self.backend.settings, "prompt": self.prompt.hash}

    def _made(self, case: CotCase, attempts: int) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        more = {"prompt_version": self.prompt.version, "input": case.fingerprint, "time": now, "attempts": attempts}
        return {**self._fixed(), **more}


def copied(record: Record, case: CotCase) -> Record:
    """The record of another case with the same text, such as a second reconstruction of the scan."""
    return {**record, "VolumeName": f"{case.case_id}.nii.gz"}
