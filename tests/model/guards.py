"""The guards of the model, each with the change of its text that takes it out."""

from collections.abc import Mapping, Sequence

Removal = Sequence[tuple[str, str]]

_BUY = ":: told == UNKNOWN -> told = ABSENT; asked"

GUARDS: Mapping[str, Removal] = {
    "ledger first: a send is stored before the request": [
        ("next = SUBMITTING; sent++; write(); sending", "sending")
    ],
    "the conditional write decides who sends": [(":: is_unchanged -> next", ":: true -> next")],
    "an outcome is written only against the row that was read": [
        (
            "        read();\n        transition();",
            "        read()\n    };\n    atomic {\n        transition();",
        )
    ],
    "first end wins": [
        (":: ended(saw) -> next = saw", ":: false -> next = saw"),
        (":: !ended(saw) && (told", ":: (told"),
    ],
    "grace: nothing is sent again before its time": [
        ("look(saw == SUBMITTING && graced[t])", "look(saw == SUBMITTING)"),
        (":: graced[t] && !over", ":: !over"),
    ],
    "a submission ends within the grace": [("astray[t] == 0 && ", "")],
    "the archive is asked before anything is sent again": [
        ("look(saw == SUBMITTING && graced[t])", "look(false)"),
        ("(saw == SUBMITTING && told == UNKNOWN)", "(saw == SUBMITTING && told == ABSENT)"),
        (":: told == ABSENT || told == UNCLEAR -> quit() /* they", ":: told == UNCLEAR -> quit() /* they"),
    ],
    "a refusal after an unclear send is presumed only": [
        ("#define refusal (sent > 1 -> PRESUMED : FAILED)", "#define refusal FAILED")
    ],
    "an archived refusal counts against the clip as it is stored": [
        ("(sent > 1 -> LOST : REFUSAL)", "(sent > 1 -> LOST : FAILURE)")
    ],
    "a lost answer may be an acceptance": [
        ("quit() /* the answer", "told = REFUSAL; learned() /* the answer")
    ],
    "what may have been taken is not withdrawn": [("(sent > 0 -> SUBMITTING : WITHDRAWN)", "WITHDRAWN")],
    "'never taken' counts against the clip as it is stored": [
        ("row(NEVER_TAKEN,  SUBMITTING,", "row(NEVER_TAKEN,  FAILED,")
    ],
    "a presumed failure is asked about before it is bought again": [
        ("status[t] != PRESUMED || asked & (1 << t)", "true")
    ],
    "second look, apart from the first": [("    :: skip\n", "    :: told = UNKNOWN; goto found\n")],
    "nothing is bought while the last send may be on its way": [("look(graced[t])", "look(true)")],
    "no answer: nothing is bought while in doubt": [
        (_BUY, _BUY.replace("->", "|| told == UNCLEAR ->")),
        (":: told == UNCLEAR || told == LOST", ":: told == LOST"),
    ],
    "a presumed refusal: nothing is bought while in doubt": [
        (_BUY, _BUY.replace("->", "|| told == LOST ->")),
        ("told == LOST || told == ABSENT", "told == ABSENT"),
    ],
    "still running: waited for, not bought": [
        (_BUY, _BUY.replace("->", "|| told == ACKNOWLEDGED ->")),
        ("        :: told == ACKNOWLEDGED -> told = REOPENED; learned()\n", ""),
    ],
    "recorded only where nothing stands and nobody was first": [
        (
            ":: something_stands || status[t] != NONE -> quit()",
            ":: status[t] != NONE && t + 1 < ATTEMPTS -> t++; status[t] = SUBMITTING; asked = 0; read()",
        )
    ],
}


def without(guard: str, model: str) -> str:
    """Give the text of the model without a guard."""
    for old, new in GUARDS[guard]:
        assert old in model, f"{guard}: the model has no {old!r}"
        model = model.replace(old, new)
    return model
