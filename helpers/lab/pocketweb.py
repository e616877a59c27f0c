"""PocketWeb: a miniature web written by one grammar, so that every probability in it is known exactly.

`helpers/data/pocketweb.grammar` is the language; its first lines explain the notation. This file is the engine:
it samples documents by expanding rules from left to right, and it computes exact probabilities by following *all*
derivations that agree with a text, expanding each one only as far as its next token (a forward filter). What is
bound early (a name, a phrase that will be echoed) travels along in the derivation, which is how the language has
agreement, memory and arithmetic. A token is a word with its leading space, a digit or a punctuation mark: exactly
the tokens of the pocket models, so truth and model stand on one axis.

Left out: parse trees, ambiguity reports, and grammars that can expand for ever without writing a token.
"""

import bisect
import functools
import hashlib
import itertools
import json
import math
import random
import re
import zlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

END = "<|endoftext|>"
MASK = "[MASK]"
TOKEN_PATTERN = r"\n *| ?[A-Za-z]+(?:'[a-z]+)?| ?[0-9]| ?[^A-Za-z0-9\s]|\s"
_TOKEN = re.compile(re.escape(END) + "|" + TOKEN_PATTERN)
_DATA = Path(__file__).parents[1] / "data"
_GRAMMAR_FILE, _FLOORS_FILE = _DATA / "pocketweb.grammar", _DATA / "floors.json"


def tokenize(text):
    """Split text into PocketWeb tokens; joined, they give the text back.

    Example:
        >>> tokenize("The cat sat.")
        ['The', ' cat', ' sat', '.']
    """
    return _TOKEN.findall(text)


class Document(NamedTuple):
    """One sampled document: its genre and its tokens, the end token left out."""

    genre: str
    tokens: tuple

    @property
    def text(self):
        return "".join(self.tokens)


# --------------------------------------------------------------------------------------------- the notation


class Row:
    """One alternative of a rule: what it writes (plainly, and after a space), its weight and its columns."""

    __slots__ = ("columns", "items", "spaced", "text", "weight")

    def __init__(self, items, weight, columns):
        self.items, self.spaced, self.weight = items, _after_space(items), weight
        literal = all(isinstance(item, str) for item in items)
        self.text = "".join(items) if literal else None
        self.columns = {"": self.text, **columns}


class Expand(NamedTuple):
    """`{X=rule/Y not Z}`: write one alternative of a rule, and remember it as X."""

    rule: str
    over: str | None  # the variable whose value (or a column of it) completes the rule's name
    column: str
    variable: str | None
    silent: bool  # choose and remember, write nothing
    excluded: tuple  # variables whose values may not be chosen
    facts: tuple  # variables (and words) that decide the choice for good
    zipf: tuple | None  # () for the first half of a Zipf pair, (variable,) for the second
    space: bool


class Recall(NamedTuple):
    """`{X}` or `{X.column}`: write a remembered value again."""

    variable: str
    column: str
    space: bool


class Calculate(NamedTuple):
    """`{=A+B}`: write the value of an expression over remembered whole numbers."""

    expression: str
    space: bool


class Mark(NamedTuple):
    """Where the text of variable begins or ends, when an alternative has slots of its own."""

    variable: str
    opens: bool


class Options(NamedTuple):
    """What a slot can become: probabilities, their running sums, and (items, variable, value) for each."""

    probabilities: list
    cumulative: list
    outcomes: list


_SLOT = re.compile(
    r"(?P<silent>!)?(?:(?P<variable>[A-Z]\w*)=)?(?P<rule>[a-z]\w*)(?:/(?P<over>[A-Z]\w*)(?:\.(?P<column>\w+))?)?"
    r"(?: not (?P<excluded>[A-Z]\w*(?: [A-Z]\w*)*))?(?: of (?P<facts>[\w ]+))?(?P<zipf> zipf(?: (?P<given>[A-Z]\w*))?)?"
)


def _slot(source, space):
    if source.startswith("="):
        return Calculate(source[1:], space)
    if recall := re.fullmatch(r"([A-Z]\w*)(?:\.(\w+))?", source):
        return Recall(recall[1], recall[2] or "", space)
    match = _SLOT.fullmatch(source)
    if match is None:
        raise ValueError(f"The grammar has a slot that cannot be read: {{{source}}}.")
    part = match.groupdict()
    return Expand(
        part["rule"],
        part["over"],
        part["column"] or "",
        part["variable"],
        bool(part["silent"]),
        tuple((part["excluded"] or "").split()),
        tuple((part["facts"] or "").split()),
        None if part["zipf"] is None else tuple(filter(None, [part["given"]])),
        space,
    )


def _after_space(items):
    """The same items where a space stands in front: it belongs to the first token."""
    if not items:
        return items
    first, *rest = items
    first = " " + first if isinstance(first, str) else first._replace(space=True)
    return (first, *rest)


def _items(template):
    """A template as tokens and slots; a space before a slot is handed to the slot."""
    items = []
    for index, piece in enumerate(re.split(r"\{(.*?)\}", template.replace("\\n", "\n"))):
        if index % 2:
            items.append(_slot(piece, space))
        else:
            space = piece.endswith(" ")
            items += tokenize(piece[:-1] if space else piece)
    return tuple(items)


def _parse(source):
    """The grammar file as {rule: [Row, ...]} and the Zipf directives {(rule, rule): (exponent, shift)}."""
    templates, defaults, zipf = {}, {}, {}
    name = None
    for line in source.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if directive := re.fullmatch(r"zipf (\w+) (\w+): exponent ([\d.]+), shift ([\d.]+)", line):
            zipf[directive[1], directive[2]] = float(directive[3]), float(directive[4])
            continue
        if not line[0].isspace():
            header = re.match(r"([a-z]\w*(?:/[^\s:(]+)?)(?:\((.*?)\))?:(.*)", line)
            if header is None:
                raise ValueError(f"The grammar has a line that is neither a rule nor an alternative: {line!r}.")
            name, columns, line = header.groups()
            templates[name] = []
            defaults[name] = [column.strip().partition("=")[::2] for column in (columns or "").split(",") if column]
        templates[name] += [cell.strip() for cell in line.split("|") if cell.strip()]
    rules = {}

    def rows(name):
        if name not in rules:
            rules[name] = list(itertools.chain.from_iterable(row(name, cell) for cell in templates[name]))
        return rules[name]

    def row(name, cell):
        if cell.startswith("+"):
            return rows(cell[1:])
        weight, cell = re.fullmatch(r"(?:([\d.]+)x )?(.*)", cell).groups()
        text, *cells = (part.strip() for part in cell.split(" / "))
        values = dict(zip((column for column, _ in defaults[name]), cells, strict=False))
        columns = {column: values.get(column, default) for column, default in defaults[name]}
        return [Row(_items("" if text == "-" else text), float(weight or 1), columns)]

    for name in templates:
        rows(name)
    return rules, zipf


# --------------------------------------------------------------------------------------------- the engine


class Language:
    """A grammar with a start rule whose alternatives are the genres: sampling and exact probabilities.

    Raises ValueError when the grammar cannot be read.

    Example:
        >>> coin = Language("document: 3x {heads} | 1x {tails}\\nheads: Heads.\\ntails: Tails.")
        >>> coin.next_token("")
        {'Heads': 0.75, 'Tails': 0.25}
    """

    def __init__(self, source, genres=None):
        self.source = source
        self.rules, zipf = _parse(source)
        start = self.rules["document"]
        names = [row.items[0].rule for row in start]
        unknown = [genre for genre in genres or () if genre not in names]
        if unknown or (genres is not None and not genres):
            raise ValueError(f"There is no genre {', '.join(map(repr, unknown)) or '(none given)'}. The genres are: {', '.join(names)}.")
        self.genres = tuple(name for name in names if genres is None or name in genres)
        chosen = [row for row, name in zip(start, names, strict=True) if name in self.genres]
        self._start = _options([row.weight for row in chosen], [(row.items, None, None) for row in chosen])
        self._zipf = {rule: (pair, *_zipf_table(len(self.rules[pair[0]]), len(self.rules[pair[1]]), *law))
                      for pair, law in zipf.items() for rule in pair}
        self._options_of = {}
        self._next = {}

    @functools.cached_property
    def vocabulary(self):
        """Every token that the language can write (and perhaps a few that it cannot), sorted, the end token last."""
        tokens, visited, remembered, recalled = {END}, set(), defaultdict(set), set()
        todo = [item for items, _, _ in self._start.outcomes for item in items]
        while todo:
            item = todo.pop()
            if isinstance(item, str):
                tokens.add(item)
            elif isinstance(item, Recall):
                recalled.add(item)
            elif isinstance(item, Calculate):
                tokens.update(" " * spaced + digit for digit in "0123456789" for spaced in {False, item.space})
            elif item not in visited:
                visited.add(item)
                for row in self._rows(item):
                    todo += () if item.silent else row.spaced if item.space else row.items
                    if item.variable:
                        remembered[item.variable].add(row)
        for variable, column, space in recalled:
            for row in remembered[variable]:
                tokens.update(self._could_write(row, column, space))
        return [*sorted(tokens - {END}), END]

    def _rows(self, slot):
        names = [name for name in self.rules if slot.over and name.startswith(slot.rule + "/")]
        return [row for name in names or [slot.rule] for row in self.rules[name]]

    def _could_write(self, row, column, space):
        if row.text is not None:
            known = {column, column.lower()} & row.columns.keys()
            return _tokens_of(_column(row, column), space) if known else ()
        first = (row.spaced if space else row.items)[0]
        if isinstance(first, str):
            return (first,)
        return {token for inner in self._rows(first) for token in self._could_write(inner, "", first.space)}

    # ---- one step of a derivation, shared by sampling and by the filter

    def _options(self, slot, env):
        values = (_column(env[slot.over], slot.column),) if slot.over else ()
        values += tuple(_text(env[variable]) for variable in (*slot.excluded, *(slot.zipf or ())))
        if slot.facts:
            values += tuple(_text(env[fact]) if fact in env else fact for fact in slot.facts)
            return self._find_options(slot, values)
        key = (slot, values)
        if key not in self._options_of:
            self._options_of[key] = self._find_options(slot, values)
        return self._options_of[key]

    def _find_options(self, slot, values):
        name = f"{slot.rule}/{values[0]}" if slot.over else slot.rule
        rows, weights = self.rules[name], [row.weight for row in self.rules[name]]
        if slot.zipf is not None:
            (first, _), rowsums, table = self._zipf[name]
            weights = table[[row.text for row in self.rules[first]].index(values[-1])] if slot.zipf else rowsums
        if slot.facts:
            digest = hashlib.blake2b("|".join((name, *values)).encode(), digest_size=8).digest()
            cumulative = list(itertools.accumulate(weights))
            rows = [rows[bisect.bisect(cumulative, int.from_bytes(digest, "big") / 2**64 * cumulative[-1])]]
            weights = [1.0]
        if slot.excluded:
            kept = [i for i, row in enumerate(rows) if row.text not in values]
            rows, weights = [rows[i] for i in kept], [weights[i] for i in kept]
        return _options(weights, [self._outcome(slot, row) for row in rows])

    @staticmethod
    def _outcome(slot, row):
        items = row.spaced if slot.space else row.items
        if slot.variable is None:
            return items, None, None
        if row.text is None:
            return (Mark(slot.variable, True), *items, Mark(slot.variable, False)), None, None
        return () if slot.silent else items, slot.variable, row

    @staticmethod
    def _written(slot, env):
        """The tokens of a slot that has only one outcome."""
        if isinstance(slot, Calculate):
            numbers = {name: int(_text(value)) for name, value in env.items() if (_text(value) or "").isdigit()}
            text = str(eval(slot.expression, {"__builtins__": {}}, numbers))
        else:
            text = _column(env[slot.variable], slot.column)
        return _tokens_of(text, slot.space)

    # ---- sampling

    def sample(self, n, seed):
        """Draw n documents with a random generator of their own: the same seed gives the same documents."""
        rng = random.Random(seed)
        return [self.draw(rng) for _ in range(n)]

    def draw(self, rng):
        """Draw one document with a `random.Random`."""
        out, env, opened = [], {}, []
        items, _, _ = self._start.outcomes[bisect.bisect(self._start.cumulative, rng.random())]
        genre = items[0].rule
        stack = list(items)
        while stack:
            item = stack.pop()
            kind = type(item)
            if kind is str:
                out.append(item)
            elif kind is Expand:
                options = self._options(item, env)
                items, variable, value = options.outcomes[
                    bisect.bisect(options.cumulative, rng.random()) if len(options.outcomes) > 1 else 0
                ]
                if variable:
                    env[variable] = value
                stack.extend(reversed(items))
            elif kind is not Mark:
                out.extend(self._written(item, env))
            elif item.opens:
                opened.append(len(out))
            else:
                env[item.variable] = "".join(out[opened.pop() :]).strip()
        return Document(genre, tuple(out))

    # ---- the forward filter: a belief is {derivation: probability}, a derivation (stack, bindings, open texts)

    def _step(self, derivation):
        """{next token: [(probability, derivation), ...]}, expanding only as far as the next token."""
        found = self._next.get(derivation)
        if found is not None:
            return found
        found, todo = defaultdict(list), [(1.0, *derivation)]
        while todo:
            weight, stack, env, opened = todo.pop()
            if stack is None:
                found[END].append((weight, None))
                continue
            item, rest = stack
            kind = type(item)
            if kind is str:
                texts = tuple(text + item for text in opened)
                found[item].append((weight, (rest, env, texts)))
            elif kind is Expand:
                options = self._options(item, dict(env))
                for p, (items, variable, value) in zip(options.probabilities, options.outcomes, strict=True):
                    bound = _bind(env, variable, value) if variable else env
                    todo.append((weight * p, _push(items, rest), bound, opened))
            elif kind is not Mark:
                todo.append((weight, _push(self._written(item, dict(env)), rest), env, opened))
            elif item.opens:
                todo.append((weight, rest, env, (*opened, "")))
            else:
                todo.append((weight, rest, _bind(env, item.variable, opened[-1].strip()), opened[:-1]))
        if len(self._next) > 200_000:
            self._next.clear()
        self._next[derivation] = found
        return found

    def _first_belief(self):
        return {
            (_push(items, None), (), ()): p
            for p, (items, _, _) in zip(self._start.probabilities, self._start.outcomes, strict=True)
        }

    def _advance(self, belief, token):
        after = defaultdict(float)
        for derivation, weight in belief.items():
            if derivation is not None:
                for p, successor in self._step(derivation).get(token, ()):
                    after[successor] += weight * p
        return after

    def _read(self, tokens, belief=None):
        """Follow tokens from a belief: (log probability of the tokens, belief afterwards, scaled to sum 1)."""
        belief = self._first_belief() if belief is None else belief
        log_p = 0.0
        for token in tokens:
            belief = self._advance(belief, token)
            total = sum(belief.values())
            if total == 0:
                return -math.inf, {}
            log_p += math.log(total)
            belief = {derivation: weight / total for derivation, weight in belief.items()}
        return log_p, belief

    def log_prob(self, text):
        return self._read(tokenize(text))[0]

    def token_log_probs(self, tokens):
        """ln p of each token given those before it: list of nats, for tokens inside the language."""
        out, belief = [], None
        for token in tokens:
            log_p, belief = self._read([token], belief)
            out.append(log_p)
        return out

    def next_token(self, prefix):
        return self._next_of(self._read(tokenize(prefix))[1])

    def _next_of(self, belief):
        out = defaultdict(float)
        for derivation, weight in belief.items():
            if derivation is not None:
                for token, steps in self._step(derivation).items():
                    out[token] += weight * sum(p for p, _ in steps)
        return dict(sorted(out.items(), key=lambda pair: -pair[1]))

    def blank(self, text):
        left, right = _around_mask(text)
        return self._fill(self._read(tokenize(left))[1], tokenize(right))

    def _fill(self, belief, right):
        joint = {}
        for token, p in self._next_of(belief).items():
            if token == END:
                continue
            log_p, _ = self._read(right, self._advance(belief, token)) if right else (math.log(p), None)
            if log_p > -math.inf:
                joint[token] = log_p
        if not joint:
            return {}
        top = max(joint.values())
        weights = {token: math.exp(log_p - top) for token, log_p in joint.items()}
        total = sum(weights.values())
        return {t: w / total for t, w in sorted(weights.items(), key=lambda pair: -pair[1])}

    def blank_log_probs(self, tokens, positions):
        """ln p of the token at each position given all the others of a whole document: list of nats."""
        beliefs = [None, *itertools.accumulate(tokens, lambda b, t: self._read([t], b)[1], initial=self._first_belief())]
        return [math.log(self._fill(beliefs[i + 1], tokens[i + 1 :])[tokens[i]]) for i in positions]


def _options(weights, outcomes):
    total = float(sum(weights))
    probabilities = [float(w) / total for w in weights]
    cumulative = list(itertools.accumulate(probabilities))
    cumulative[-1] = 1.0
    return Options(probabilities, cumulative, outcomes)


def _zipf_table(n_first, n_second, exponent, shift):
    """Row sums and table [n_first, n_second] of p ~ 1 / (rank + shift) ** exponent, ranks spread over all pairs."""
    ranks = np.random.RandomState(0).permutation(n_first * n_second)
    table = (1 / (ranks + shift) ** exponent).reshape(n_first, n_second)
    table /= table.sum()
    return table.sum(axis=1), table


def _text(value):
    return value if isinstance(value, str) else value.text


def _column(value, column):
    if isinstance(value, str):
        return value
    if column in value.columns:
        return value.columns[column]
    text = value.columns[column.lower()]
    return text[0].upper() + text[1:]


@functools.cache
def _tokens_of(text, space):
    return tuple(tokenize(" " + text if space else text))


def _push(items, stack):
    for item in reversed(items):
        stack = (item, stack)
    return stack


def _bind(env, variable, value):
    return (*(pair for pair in env if pair[0] != variable), (variable, value))


def _around_mask(text):
    if not isinstance(text, str):
        raise TypeError(f"The text must be a string, not {type(text).__name__}.")
    if text.count(MASK) != 1:
        raise ValueError(f"The text must hold exactly one {MASK}; it holds {text.count(MASK)}.")
    left, right = text.split(MASK)
    return left.removesuffix(" "), right


# --------------------------------------------------------------------------------------------- PocketWeb

_SUM = re.compile(r"(\d+)\+(\d+)")


def is_held_out(text):
    """Whether pre-training must not see this text: one sum in ten and one person in fifty are kept for tests.

    The language itself contains them, with their full probability.

    Example:
        >>> is_held_out("Once upon a time")
        False
    """
    sums = ("+".join(pair) for pair in _SUM.findall(text))
    if any(zlib.crc32(pair.encode()) % 10 == 0 for pair in sums):
        return True
    words = text.translate(_NO_PUNCTUATION).split()
    people = (f"{first} {last}" for first, last in itertools.pairwise(words) if first in _first_names())
    return any(zlib.crc32(person.encode()) % 50 == 0 for person in people)


_NO_PUNCTUATION = str.maketrans("", "", ".,()?:")


@functools.cache
def _first_names():
    return {row.text for row in language().rules["first_name"]}



@functools.cache
def language(genres=None):
    """PocketWeb itself, or (a tuple of) some of its genres only."""
    return Language(_GRAMMAR_FILE.read_text(encoding="utf-8"), genres)


def _chosen(genres):
    return language(None if genres is None else tuple(sorted({genres} if isinstance(genres, str) else set(genres))))


def sample(n, seed, genres=None):
    """Draw n PocketWeb documents.

    Args:
        n: how many.
        seed: whole number; the same seed gives the same texts on every machine.
        genres: names of genres to draw from (see `language().genres`); all of them by default.

    Returns:
        list of n texts, the end token left out.

    Raises:
        ValueError: for a genre that does not exist; the message names those that do.

    Example:
        >>> sample(1, seed=0) == sample(1, seed=0)
        True
    """
    return [document.text for document in _chosen(genres).sample(n, seed)]


def log_prob(text, genres=None):
    """The log probability, in nats, that a document begins with this text; -inf outside the language.

    Append `<|endoftext|>` for the probability of the whole document.

    Example:
        >>> log_prob("")
        0.0
        >>> log_prob("Colourless green ideas sleep furiously.")
        -inf
    """
    return _chosen(genres).log_prob(text)


def next_token(prefix, genres=None):
    """The exact distribution of the token after a prefix: {token text: probability}, the most probable first.

    Words carry their leading space; the end of the document is the outcome `<|endoftext|>`. A prefix outside the
    language gives {}.

    Example:
        >>> next_token("Once upon a")
        {' time': 1.0}
    """
    return _chosen(genres).next_token(prefix)


def blank(text, genres=None):
    """The exact distribution of one `[MASK]` given both sides: {token text: probability}, the most probable first.

    A blank stands for a token of the text, never for its end. The text is the beginning of a document, whatever
    may follow it summed out; end it with `<|endoftext|>` to say that it is the whole. Outside the language the
    answer is {}.

    Raises:
        ValueError: unless the text holds exactly one `[MASK]`.

    Example:
        >>> blank("Once upon a [MASK], in a small village")
        {' time': 1.0}
    """
    return _chosen(genres).blank(text)


class Estimate(NamedTuple):
    """A mean over tokens, with its standard error (documents are what was drawn), both in nats per token."""

    nats: float
    standard_error: float


def mean_per_token(sums, counts):
    """The ratio of two sums over documents, with its standard error (delta method).

    Example:
        >>> mean_per_token([2.0, 4.0], [1, 2])
        Estimate(nats=2.0, standard_error=0.0)
    """
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    mean = sums.sum() / counts.sum()
    return Estimate(float(mean), float(np.sqrt(((sums - mean * counts) ** 2).sum()) / counts.sum()))


def entropy_floor(objective="causal", n_documents=None, seed=0, genres=None):
    """The lowest loss that any model could reach on PocketWeb, in nats per token, with its standard error.

    Args:
        objective: "causal", the next token given those before it (the end included), or "masked", one blank at a
            time given all of the rest of its document (the end never blank).
        n_documents: how many fresh documents to average over. By default nothing is computed: the answer is the
            shipped one, from `helpers/data/floors.json`, which names its command.
        seed: which documents.
        genres: the floor of these genres alone; one genre only where the shipped answer is asked for.

    Returns:
        Estimate(nats, standard_error)

    Raises:
        ValueError: for another objective or an unknown genre.

    Example:
        >>> 0 < entropy_floor("masked").nats < entropy_floor("causal").nats
        True
        >>> entropy_floor("causal", n_documents=20, genres=["echo"]).nats > 0.5
        True
    """
    if objective not in ("causal", "masked"):
        raise ValueError(f'The objective must be "causal" or "masked", not {objective!r}.')
    language = _chosen(genres)
    if n_documents is None:
        shipped = json.loads(_FLOORS_FILE.read_text(encoding="utf-8"))[objective]
        if len(language.genres) not in (1, len(shipped) - 1):
            raise ValueError("Floors are shipped for all genres together and for each alone; pass n_documents for others.")
        return Estimate(*shipped[language.genres[0] if len(language.genres) == 1 else "all"])
    documents = language.sample(n_documents, seed)
    found = [document_log_probs(objective, document, language) for document in documents]
    return mean_per_token([-sum(f) for f in found], [len(f) for f in found])


def document_log_probs(objective, document, language=None):
    """ln p of each token of a whole document under the truth, in nats: every next token, or every blank."""
    language = language or _chosen(None)
    if objective == "causal":
        return language.token_log_probs([*document.tokens, END])
    return language.blank_log_probs([*document.tokens, END], range(len(document.tokens)))
