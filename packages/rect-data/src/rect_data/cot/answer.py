"""From what a model wrote to reasoning that holds to the schema, or an error that the model can be shown."""

import json
from collections.abc import Collection
from typing import Any, Final

from rect_core.findings import REGIONS
from rect_core.types import Reasoning, ReasoningStep

MAX_STEPS: Final = 40
MAX_CHARACTERS: Final = 2000
_KEYS: Final = {"steps", "conclusion"}
_STEP_KEYS: Final = {"region", "observation", "inference", "evidence"}


class AnswerError(ValueError):
    """An answer that cannot be used; the message says why in words that help to write a better one."""


def parse_reasoning(text: str, evidence: Collection[str], *, example: Reasoning | None = None) -> Reasoning:
    """The reasoning in an answer, with or without prose, thoughts or a code fence around it.

    evidence: the ids that may be cited. example: reasoning shown in the prompt, whose sentences are no answer.
    Raises AnswerError unless there is exactly the schema: no key more or less, known regions, listed evidence.
    """
    data = extract(text)
    _keys(data, _KEYS, "the object")
    steps = data["steps"]
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise AnswerError(f"steps must be a list of 1 to {MAX_STEPS} objects")
    made = tuple(_step(step, number, evidence) for number, step in enumerate(steps, 1))
    reasoning = Reasoning(steps=made, conclusion=_text(data, "conclusion", "the object"))
    if example is not None:
        _no_copy(reasoning, example)
    return reasoning


def extract(text: str) -> dict[str, Any]:
    """The first JSON object with the key `steps` in a text. Nothing is repaired: a cut-off object is none."""
    # Many chat templates open the thought themselves, so that an answer may have its end alone
    text = text.rpartition("</think>")[2].partition("<think>")[0]
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    problem, at = "", text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            problem = problem or f"its JSON is broken: {error.msg} at character {error.pos}"
            end = at + 1
        except RecursionError:
            raise AnswerError("its JSON is nested too deeply") from None
        else:
            if "steps" in value:
                return dict(value)
            problem = problem or "its JSON object has no key steps"
        at = text.find("{", end)
    raise AnswerError(problem or "it holds no JSON object")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise AnswerError("a key is given twice in one object")
    return made


def _step(step: Any, number: int, evidence: Collection[str]) -> ReasoningStep:
    where = f"step {number}"
    if not isinstance(step, dict):
        raise AnswerError(f"{where} is no object")
    _keys(step, _STEP_KEYS, where)
    region = _text(step, "region", where)
    if region not in REGIONS:
        raise AnswerError(f"{where}: region {region[:60]!r} is not one of the listed regions")
    cited = step["evidence"]
    if not isinstance(cited, list) or not all(isinstance(one, str) for one in cited):
        raise AnswerError(f"{where}: evidence must be a list of ids")
    unknown = [one for one in cited if one not in evidence]
    if unknown:
        raise AnswerError(f"{where}: evidence {unknown[0][:60]!r} is not among the evidence ids of the case")
    if len(set(cited)) < len(cited):
        raise AnswerError(f"{where}: an evidence id is given twice")
    return ReasoningStep(
        region=region,
        observation=_text(step, "observation", where),
        inference=_text(step, "inference", where),
        evidence=tuple(cited),
    )


def _keys(value: dict[str, Any], wanted: set[str], where: str) -> None:
    missing, more = sorted(wanted - set(value)), sorted(set(value) - wanted)
    if missing:
        raise AnswerError(f"{where} has no key {missing[0]}")
    if more:
        raise AnswerError(f"{where} has the unknown key {more[0][:60]!r}")


def _text(value: dict[str, Any], key: str, where: str) -> str:
    text = value[key]
    if not isinstance(text, str) or not text.strip():
        raise AnswerError(f"{where}: {key} must be text")
    if len(text) > MAX_CHARACTERS:
        raise AnswerError(f"{where}: {key} has {len(text)} characters, more than {MAX_CHARACTERS}")
    return text.strip()


def _no_copy(reasoning: Reasoning, example: Reasoning) -> None:
    shown = {text for step in example.steps for text in (step.observation, step.inference)} | {example.conclusion}
    said = [text for step in reasoning.steps for text in (step.observation, step.inference)] + [reasoning.conclusion]
    for text in said:
        if text in shown:
            raise AnswerError("it repeats the example instead of describing this case")
