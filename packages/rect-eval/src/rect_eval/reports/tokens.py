"""The words of a report, cut as pycocoevalcap's Java tokenizer (Stanford PTBTokenizer 3.4.1) cuts them.

Published BLEU, ROUGE-L and CIDEr rest on that tokenizer. These rules follow it on what radiologists write; it differs
on web addresses, mark-up and rare abbreviations.
"""

import re
from typing import Final

_ALNUM = r"[^\W_¹²³]"
_LETTER = r"[^\W\d_¹²³]"
_ABBREVIATIONS = "al|cf|dept|dr|etc|ext|fig|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mr|mrs|ms|prof|st|vs"
_PATTERNS = (
    r"\.\.\.",
    rf"(?:{_LETTER}\.){{2,}}(?!{_ALNUM})",  # i.e., a.p.
    rf"\d{{1,4}}-\d{{1,4}}/\d{{1,4}}(?!{_ALNUM})",  # 2-3/4
    r"[a-z0-9]+(?:-[a-z]+){0,2}(?:/[a-z0-9]+(?:-[a-z]+){0,2}){1,2}",  # mediastinal/hilar
    rf"{_ALNUM}(?:{_ALNUM}|[.,]){{0,60}}(?:-{_ALNUM}+)+",  # ground-glass; also "10.5-11" of 10.5-11.2
    rf"{_LETTER}+(?=n['’]t\b)|n['’]t\b",  # does n't
    rf"(?:{_ABBREVIATIONS})\.(?!{_ALNUM})|no\.(?=\s*\d)|{_LETTER}+\.(?=[,;:])|{_LETTER}\.(?!{_ALNUM})",
    rf"{_LETTER}(?:{_ALNUM}|_)*(?:[.!?]{_LETTER}(?:{_ALNUM}|_)*)*",  # words, and two with a full stop but no space
    r"[-+]?\d*(?:[.,:]\d+)+",  # 3.5, 1,200, 12:30, and the .5 of 4x3.5
    rf"\d{_ALNUM}*",  # 12, 12x8, 5mm
    r"[-+]\d+",
    r"['’](?:s|m|d|re|ve|ll)\b",
    r"\S",
)
_TOKEN: Final = re.compile("|".join(_PATTERNS), re.IGNORECASE)
_DROPPED: Final = frozenset([*"'`’‘“”\".?!,:;-–—…", "..."])
_RENAMED: Final = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
    "£": "#",
    "€": "$",
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
}


def tokenize(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers; punctuation is dropped, while brackets become words of their own ("-lrb-"), as in
    pycocoevalcap."""
    found = []
    for match in _TOKEN.finditer(text):
        token = match.group().lower()
        if token == "cannot":
            found += ["can", "not"]
        elif token not in _DROPPED:
            found.append(_RENAMED.get(token, token.replace("’", "'")))
    return tuple(found)
