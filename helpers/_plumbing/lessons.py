"""What the notebooks ask, read from `helpers/data/lessons/NN.toml`, one file a notebook.

A page holds only `quiz("05-1")`; the question, the reasons, the hint and the solution are in these
files, so that no page gives an answer away. A file has three kinds of tables:

- `[quiz.1]`: a `question`, its `choices` as {choice: reason}, and the right one as `answer`.
- `[guess.1]`: a `question`, and either a `unit` (a number is asked) or `choices` as {choice:
  condition}. A condition is Python over `measured`; the choice of the first one that is true is
  what was measured. `label` replaces the word "Measured" where a result is not measured.
- `[exercise.1]`: a `question`, a `hint`, the `solution`, the `cases` to try as a Python list of
  argument tuples, and `mistakes` as {diagnosis: a function `mistake` that makes it}. `right`, where
  it is given, is another function that the solution must agree with. Mistakes may call both.
"""

import copy
import math
import re
import tomllib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data" / "lessons"


@cache
def lessons(kind):
    """All lessons of a kind ("quiz", "guess" or "exercise") as {name: table}.

    Example:
        >>> sorted(lessons("quiz")["05-1"])
        ['answer', 'choices', 'question']
    """
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get(kind, {})
        found |= {f"{path.stem}-{number}": table for number, table in tables.items()}
    return found


def lesson(kind, name):
    """One lesson.

    Raises:
        TypeError: the name is no text.
        ValueError: there is no lesson of this kind and name.

    Example:
        >>> lesson("guess", "05-1")["unit"]
        '%'
    """
    if not isinstance(name, str):
        raise TypeError(f"The name of a {kind} is a text such as '05-1', not {name!r}.")
    known = lessons(kind)
    if name not in known:
        raise ValueError(f"There is no {kind} {name!r}. There are: {', '.join(known)}.")
    return known[name]


def in_words(value, unit=""):
    """A value as a reader sees it: a choice in quotation marks, a number with its unit.

    Example:
        >>> in_words("both"), in_words(10.7374, "%"), in_words(90, "of 100")
        ('“both”', '10.7 %', '90 of 100')
    """
    if isinstance(value, str):
        return f"“{value}”"
    if isinstance(value, float):
        value = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value} {unit}".strip()


def number_in(text, unit=""):
    """The number that a reader has typed, with or without its unit.

    Raises:
        ValueError: there is no number, or it can be read in two ways.

    Example:
        >>> number_in("62,5"), number_in("62.5 %", "%"), number_in("0")
        (62.5, 62.5, 0.0)
    """
    bare = text.strip().removesuffix(unit).removesuffix("%").strip()
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", bare):
        raise ValueError(f"“{text}” can be read in two ways. Please write it without the comma.")
    if not re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)", bare):
        raise ValueError(f"“{text}” is not a number. Please write one, such as 40 or 62.5.")
    return float(bare.replace(",", "."))


def finding(guess, measured):
    """What was measured, as an answer to a guess: the number itself, or one of the choices.

    Raises:
        TypeError: a number is asked, and `measured` is none.
        ValueError: no condition of the choices is true.

    Example:
        >>> finding({"choices": {"it rises": "measured > 0", "it falls": "measured <= 0"}}, -3)
        'it falls'
    """
    measured = plain(measured)
    if "choices" not in guess:
        if isinstance(measured, bool) or not isinstance(measured, (int, float)):
            raise TypeError(f"What was measured must be a number, not {measured!r}.")
        return measured
    for choice, condition in guess["choices"].items():
        if eval(condition, {"measured": measured}):
            return choice
    raise ValueError(f"No choice fits what was measured: {measured!r}.")


def plain(value):
    """A value without its library: arrays, tensors and tables as lists and dictionaries."""
    for name in ("tolist", "to_dict"):
        if callable(convert := getattr(value, name, None)):
            return plain(convert())
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return {key: plain(one) for key, one in value.items()} if type(value) is dict else value


def same(a, b):
    """Equal, numbers within rounding, also inside lists, tuples and dictionaries.

    Example:
        >>> same([1, (2.0, "a")], [1.0 + 1e-12, (2, "a")]), same(True, 1)
        (True, False)
    """
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return a == b


def judge(exercise, answer):
    """Try a reader's function on the cases of an exercise: (verdict, sentence).

    An error inside the function is a verdict too. If its values are those of a known mistake, the
    sentence is the diagnosis, else it shows the first case that differs.

    Raises:
        ValueError: no case tells a mistake from the solution.

    Example:
        >>> judge(lesson("exercise", "04-1"), lambda share, n_tokens: None)
        ('Your turn.', 'The function returns nothing yet.')
    """
    cases, wanted, wrong = _worked_out(exercise)
    values = []
    for case in cases:
        try:
            values.extend(_values(answer, [case]))
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            return "Not yet.", f"For {_called(case)} it stops with an error. {told}"
    if same(values, wanted):
        return "Solved.", f"Right in all {len(cases)} cases."
    if all(value is None or value is ... for value in values):
        return "Your turn.", "The function returns nothing yet."
    for diagnosis, known in wrong.items():
        if same(values, known):
            return "Not yet.", diagnosis
    rows = zip(cases, values, wanted, strict=True)
    case, value, right = next(row for row in rows if not same(*row[1:]))
    return "Not yet.", f"For {_called(case)} it gives {value!r}, not {right!r}."


def _worked_out(exercise):
    """The cases, the right values, and {diagnosis: the values of this mistake}."""
    names = {}
    exec(exercise.get("right", "") + "\n" + exercise["solution"], names)
    cases, wrong = eval(exercise["cases"].strip(), names), {}
    wanted = _values(names.get("right", names["solution"]), cases)
    for diagnosis, source in exercise["mistakes"].items():
        inside = dict(names)
        exec(source, inside)
        wrong[diagnosis] = _values(inside["mistake"], cases)
        if same(wrong[diagnosis], wanted):
            raise ValueError(f"No case tells this mistake from the solution: {diagnosis!r}.")
    return cases, wanted, wrong


def _values(function, cases):
    """What a function gives for each case. It gets copies, since it may change what it gets."""
    return [plain(function(*copy.deepcopy(case))) for case in cases]


def _called(case):
    return f"({', '.join(map(repr, plain(case)))})"
