"""Marks that only machines read: borders of prompts, roles, results of tools, and texts that call for them.

RE2 reads all of them at once, in linear time.
"""

from __future__ import annotations

from collections.abc import Iterator

import re2

from gateway.mime.risk.phrases import Found

_PATTERNS: tuple[tuple[str, bool, str], ...] = (
    ("chat_markup", True, r"<\|?(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|(?:system|user|assistant|tool)\|)[^<>\n]{0,20}\|?>"),
    ("chat_markup", True, r"\[/?inst\]|<</?sys>>|\\n\\n(?:human|assistant):"),
    ("chat_markup", True, r"(?:^|\n)\s{0,4}#{1,4}\s{0,3}(?:new\s)?(?:system|instructions?|assistant|developer)(?:\s(?:prompt|message|override|instructions?|note))?\s{0,3}:"),
    ("pseudo_tag", True, r"(?:^|\n)\s{0,4}<\s?/?(?:information|important|system|instructions?|admin|override|assistant|prompt|secret|hidden|attention|tool|function|untrusted|user|human|context|system[_-]\w{2,20}|tool[_-]\w{2,20}|function[_-]\w{2,20}|new[_-]\w{2,20}|ai[_-]\w{2,20}|important[_-]\w{2,20})\s?>\s{0,4}(?:\n|$)"),
    ("tool_result", True, r"[-=<\[#*{]{2,}\s{0,4}(?:begin|end|start|beginning)\s(?:of\s)?(?:the\s)?(?:tool|function|system|untrusted|email|mail|document|user|context|assistant|prompt|external|retrieved|data)\b[^\n]{0,40}[-=>\]#*}]{2,}"),
    ("tool_result", True, r"\"role\"\s{0,3}:\s{0,3}\"(?:system|assistant|tool)\"|\"(?:tool_calls?|function_call|tool_use_id)\"\s{0,3}:|<(?:tool_call|function_calls|tool_response|function_results?|invoke name)\b"),
    ("fake_turn", True, r"(?:^|\n)\W{0,6}(?:system|developer)\s?(?:message|prompt|override|note|instruction|alert|notice)?s?\W{0,4}:\W{0,4}(?:you\b|your\b|ignore|the\s(?:user|assistant|model|agent)\b|the\s(?:previous|above|following)\b|new\s|from now|override|disregard|do not\b)"),
    ("to_machine", True, r"\b(?:this is (?:an?|the) )?(?:important |urgent |special |secret |hidden )?(?:message|note|notice|instructions?|task|command|request)s? (?:from [^\n.:]{1,60},? )?(?:to|for) (?:you, )?(?:the |any |all |an |your )?(?:(?:ai|llm)\b|(?:automated |virtual |email |mail |language |chat ?)?(?:assistant|agent|model|chatbot|bot)s?\b)(?: (?:assistant|agent|model|system)s?)?(?: (?:reading|that reads?|processing|summari[sz]ing|handling) (?:this|the)\b[^\n.:]{0,30})?\s?[,.:!\n]"),
    ("to_machine", True, r"\b(?:important |urgent )?message from (?:me|the user|your (?:user|owner|developer|creator|operator))\b[^\n]{0,60} to you\b"),
    ("first_do", True, r"\bbefore (?:you )?(?:can |could |may |must )?(?:solv|continu|answer|proceed|summar|complet|finish|respond|reply|do|perform|start|process|handl)\w{0,6}\b[^\n]{0,80}\b(?:task|question|request|query|prompt|instruction|user|email|that|this)\b[^\n]{0,80}\b(?:please |must |first |you )[^\n]{0,20}\b(?:do|perform|complete|execute|follow|run)\b[^\n]{0,20}\b(?:following|this|these|first|below)\b"),
    ("asked_to", True, r"\bif (?:you|the (?:assistant|model|user|ai))(?: are|'re|’re| is| were)? (?:asked|told|instructed|prompted|requested|queried)\b[^\n]{0,30}\b(?:to |about |for )[^\n]{0,60}\b(?:instead|also|must|make sure|always|never|reply|respond|say|include|answer with)\b"),
    ("behind_the_user", True, r"\b(?:do not|don't|don’t|never|without) (?:tell|mention|inform|notify|alert|ask|reveal|show|disclose|telling|mentioning|informing|notifying|alerting|asking|showing)\w{0,4}\b[^\n.]{0,40}\bthe user\b"),
    ("behind_the_user", True, r"\b(?:send|forward|transfer|delete|share|leak|exfiltrate|upload)\b[^\n.]{0,40}\bthe user'?’?s? (?:\w{2,15} ){0,2}(?:emails?|inbox|passwords?|files|contacts|data|account|calendar|messages|credentials|token)\b"),
    ("shown_picture", True, r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,300}[?=/][^)\s]{0,100}(?:\[|\{|\$|%7b|<|\byour_|\bquery\b|\bdata\b|\bsecret\b)[^)\n]{0,200}\)"),
    ("shown_picture", False, r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,300}\)"),
    ("script", False, r"<\w{1,10}\b[^<>\n]{0,200}\bon(?:error|load|click|mouseover)\s?=|<a\s[^<>\n]{0,100}javascript:"),
    ("output_only", True, r"\b(?:only (?:reply|respond|answer|output|say)|(?:reply|respond|answer) only) with\b[^\n]{0,40}\b(?:and nothing else|no further|word|string|phrase|exact)|\bwith no further (?:commentary|explanation|text|output)\b|\b(?:output|say) (?:exactly|only) the (?:following|words?|phrase|string)\b"),
    ("repeat", True, r"\brepeat (?:the |this |these )?(?:following |sequence of )?(?:words?|string|phrase|sentence|text)\b[^\n]{0,60}\b(?:\d{1,6}|hundred|thousand|infinite\w{0,4}) times\b"),
    ("lifted", True, r"\b(?:no (?:limits?|limitations?|restrictions?|rules|filters?) (?:ai|assistant|model|chatbot)|do anything now|do anything ai|free (?:from|of) (?:all )?(?:constraints|restrictions|limitations|ethical|guidelines|rules)|respond\b[^\n]{0,40}\bwithout (?:any )?restrictions|jailbr(?:oken|eak) mode|disable (?:your|all) (?:safety|filters?|guardrails?|safeguards?))\b"),
    ("lifted", False, r"\b(?:(?:enable|unlock|activate|grant) (?:\w{2,15} )?(?:experimental|hidden|developer|admin\w{0,10}|debug\w{0,4}|root|temporary|special) (?:\w{3,15} ){0,2}(?:features?|functionalit\w{0,4}|mode|access|privileges|permissions)|prove (?:that )?you(?: are|'re) (?:truly|really) intelligent|no matter what)\b"),
    ("order", False, r"\b(?:please (?:do|perform|execute) (?:the following|this)|you must|you need to|perform|execute|respond by|make sure (?:to|you)|you(?:'ve|’ve| have) been assigned)\b[^\n]{0,20}:"),
    ("order", False, r"(?:^|\n|[.!?]\s)\W{0,6}(?:priority|urgent|new|emergency|special|experimental|critical) (?:new )?(?:task|case|procedure|order|directive|override|instruction)s?\W{0,4}:|\*\*+\s?emergency\s?\*\*+|(?:system|internal) (?:malfunction|failure)\b|system is experiencing errors"),
    ("forgot", True, r"\bwhen i gave you (?:your|the) instructions\b|\bforgot to (?:ask|tell|instruct) you to\b[^\n]{0,60}\b(?:string|response|answer|output|sentence|image)\b|\bi(?:'ll| will) be (?:punished|fired|penali[sz]ed)\b"),
)  # fmt: skip
# ruff: noqa: E501 - patterns


def _all() -> re2.Set:
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    found = re2.Set.SearchSet(options)
    for _, _, pattern in _PATTERNS:
        found.Add(pattern)
    found.Compile()
    return found


_SET = _all()
_EACH = [re2.compile(pattern) for _, _, pattern in _PATTERNS]


def find_markup(folded: str) -> Iterator[Found]:
    """The marks in a folded text, the first of each kind."""
    for number in _SET.Match(folded) or ():
        name, strong, _ = _PATTERNS[number]
        found = _EACH[number].search(folded)
        if found is not None:
            yield Found(name, strong, found.start(), found.end())
