"""A language written by a grammar: it draws documents, and all its probabilities are exact.

Documents are drawn by expanding rules from left to right. Exact probabilities come from following
*all* derivations that agree with a text, each only as far as its next token (a forward filter).
What is bound early (a name, a phrase to be echoed) travels along in the derivation, which is how
the language has agreement, memory and arithmetic.

Left out: parse trees, ambiguity reports, and grammars that can expand for ever without writing a
token.
"""

import bisect
import functools
import hashlib
import heapq
import itertools
import math
import random
import re
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from helpers.lab.grammar import END, MASK, Expand, Mark, Write, parse, tokenize

MOST_STEPS = 100_000  # to draw one document: those of PocketWeb take a few hundred


class Document(NamedTuple):
    """One sampled document: its genre and its tokens, the end token left out."""

    genre: str
    tokens: tuple

    @property
    def text(self):
        return "".join(self.tokens)


class Derivation:
    """A state of the writer; a language keeps one object for equal states."""

    __slots__ = ("after", "state")

    def __init__(self, state):
        # What is to be written (item, (item, ...)), bindings, texts being remembered
        self.state = state
        self.after = {}  # by token, as far as it was asked for


class Language:
    """A grammar whose start rule lists the genres: sampling and exact probabilities.

    Raises ValueError when the grammar cannot be read or a genre does not exist.

    Example:
        >>> coin = Language("document: 3x {heads} | 1x {tails}\\nheads: Heads.\\ntails: Tails.")
        >>> coin.next_token("")
        {'Heads': 0.75, 'Tails': 0.25}
    """

    def __init__(self, source, genres=None):
        self.rules, zipf = parse(source)
        if not all(isinstance((*row.items, "")[0], Expand) for row in self.rules["document"]):
            raise ValueError("The rule 'document' must name genres, such as {story} | {review}.")
        start = {row.items[0].rule: row for row in self.rules["document"]}
        unknown = sorted(set(genres or ()) - start.keys())
        if unknown or (genres is not None and not genres):
            unknown = ", ".join(map(repr, unknown)) or "in an empty list"
            raise ValueError(f"There is no genre {unknown}. The genres are: {', '.join(start)}.")
        self.genres = tuple(name for name in start if genres is None or name in genres)
        chosen = [start[name] for name in self.genres]
        starts = [(row.items, "", None) for row in chosen]
        self._start = _options([row.weight for row in chosen], starts)
        self.shares = dict(zip(self.genres, self._start[0], strict=True))  # of the documents
        self._zipf = {}  # by rule: weights of a first half, or of a second by the first's text
        for (first, second), law in zipf.items():
            names = [row.text for row in self.rules[first]]
            table = _zipf_table(len(names), len(self.rules[second]), *law)
            self._zipf |= {first: table.sum(axis=1), second: dict(zip(names, table, strict=True))}
        self._options_for = functools.lru_cache(2**15)(self._find_options)
        self._expand_fully = functools.lru_cache(32)(self._expand)
        # The start has 25,000 successors, and every document begins there
        self._expand_start = functools.cache(self._expand)
        self._derivations = {}
        first = zip(self._start[0], self._start[2], strict=True)
        self._first_belief = {
            self._derivation(_push((*items, END), None), (), ()): p for p, (items, _, _) in first
        }

    @functools.cached_property
    def vocabulary(self):
        """Every token that can be written (and perhaps a few that cannot), the end token last."""
        seen, remembered = set(), defaultdict(set)
        todo = [item for items, _, _ in self._start[2] for item in items]
        while todo:
            item = todo.pop()
            if isinstance(item, Expand) and item not in seen:
                names = [n for n in self.rules if item.over and n.startswith(item.rule + "/")]
                for row in itertools.chain.from_iterable(
                    self.rules[name] for name in names or [item.rule]
                ):
                    remembered[item.variable].add(row)
                    todo += () if item.silent else row.spaced if item.space else row.items
            elif isinstance(item, Write) and item.source.startswith("="):
                todo += [" " * n + digit for digit in "0123456789" for n in {0, int(item.space)}]
            seen.add(item)
        for item in [item for item in seen if isinstance(item, Write)]:
            for row in remembered[item.source]:
                if row.text is not None and {item.column, item.column.lower()} & row.columns.keys():
                    seen.update(_tokens_of(_column(row, item.column), item.space))
        return [*sorted(item for item in seen if isinstance(item, str)), END]

    # ---- what a slot can become, for sampling and for the filter

    def _options(self, slot, env):
        values = (_column(env[slot.over], slot.column),) if slot.over else ()
        if slot.facts:
            values += tuple(_column(env[fact]) if fact in env else fact for fact in slot.facts)
        elif slot.excluded or slot.zipf:
            values += tuple(_column(env[variable]) for variable in (*slot.excluded, *slot.zipf[1:]))
        return self._options_for(slot, values)

    def _find_options(self, slot, values):
        name = f"{slot.rule}/{values[0]}" if slot.over else slot.rule
        rows = self.rules[name]
        weights = [row.weight for row in rows]
        if slot.zipf:
            weights = self._zipf[name][values[-1]] if slot.zipf[1:] else self._zipf[name]
        if slot.facts:
            digest = hashlib.blake2b("|".join((name, *values)).encode(), digest_size=8).digest()
            cumulative = list(itertools.accumulate(weights))
            share = int.from_bytes(digest, "big") / 2**64
            place = bisect.bisect(cumulative, share * cumulative[-1])
            rows, weights = [rows[place]], [1.0]
        kept = [i for i, row in enumerate(rows) if not slot.excluded or row.text not in values]
        return _options([weights[i] for i in kept], [self._outcome(slot, rows[i]) for i in kept])

    @staticmethod
    def _outcome(slot, row):
        items = row.spaced if slot.space else row.items
        if not slot.variable:
            return items, "", None
        if row.text is None:
            return (Mark(slot.variable, True), *items, Mark(slot.variable, False)), "", None
        return () if slot.silent else items, slot.variable, row

    @staticmethod
    def _written(slot, env):
        if not slot.source.startswith("="):
            return _tokens_of(_column(env[slot.source], slot.column), slot.space)
        texts = {name: _column(value) for name, value in env.items()}
        numbers = {name: int(text) for name, text in texts.items() if text.isdigit()}
        return _tokens_of(str(eval(slot.source[1:], {"__builtins__": {}}, numbers)), slot.space)

    # ---- sampling

    def sample(self, n, seed):
        """Draw n documents; the same seed gives the same documents."""
        rng = random.Random(seed)
        return [self.draw(rng) for _ in range(n)]

    def draw(self, rng):
        """Draw one document with a `random.Random`."""
        out, env, opened = [], {}, []
        items, _, _ = self._start[2][bisect.bisect(self._start[1], rng.random())]
        genre, stack = items[0].rule, list(items)
        for _ in range(MOST_STEPS):
            if not stack:
                return Document(genre, tuple(out))
            item = stack.pop()
            kind = type(item)
            if kind is str:
                out.append(item)
            elif kind is Expand:
                _, cumulative, outcomes, _ = self._options(item, env)
                place = bisect.bisect(cumulative, rng.random()) if len(outcomes) > 1 else 0
                items, variable, value = outcomes[place]
                if variable:
                    env[variable] = value
                stack.extend(reversed(items))
            elif kind is Write:
                out.extend(self._written(item, env))
            elif item.opens:
                opened.append(len(out))
            else:
                env[item.variable] = "".join(out[opened.pop() :]).strip()
        raise ValueError(f"A text of the genre {genre!r} does not end: a rule calls itself.")

    # ---- the forward filter: a belief is {Derivation: probability}

    def _derivation(self, *state):
        if len(self._derivations) > 50_000:
            self._derivations.clear()
        if state not in self._derivations:
            self._derivations[state] = Derivation(state)
        return self._derivations[state]

    def _expand(self, state, wanted=None):
        """{next token: [(probability, state), ...]}, for all tokens or the one wanted."""
        found, todo = defaultdict(list), [(1.0, *state)]
        while todo:
            weight, stack, env, opened = todo.pop()
            if not _may_write(stack, wanted):
                continue
            item, rest = stack
            kind = type(item)
            if kind is str:
                found[item].append((weight, (rest, env, tuple(text + item for text in opened))))
            elif kind is Expand:
                probabilities, _, outcomes, places = self._options(item, dict(env))
                able = range(len(outcomes))
                if wanted is not None:
                    able = (*places.get(wanted, ()), *places.get(None, ()))
                for place in able:
                    items, variable, value = outcomes[place]
                    bound = _bind(env, variable, value) if variable else env
                    todo.append((weight * probabilities[place], _push(items, rest), bound, opened))
            elif kind is Write:
                todo.append((weight, _push(self._written(item, dict(env)), rest), env, opened))
            elif item.opens:
                todo.append((weight, rest, env, (*opened, "")))
            else:
                bound = _bind(env, item.variable, opened[-1].strip())
                todo.append((weight, rest, bound, opened[:-1]))
        return found

    def _after(self, derivation, token):
        """[(probability, Derivation), ...] once the token is written."""
        if token not in derivation.after:
            found = self._expand(derivation.state, token)[token]
            derivation.after[token] = [(p, self._derivation(*state)) for p, state in found]
        return derivation.after[token]

    def _read(self, tokens, belief=None):
        """Follow tokens from a belief: (their log probability, the belief afterwards)."""
        belief, log_p = self._first_belief if belief is None else belief, 0.0
        for token in tokens:
            after = defaultdict(float)
            for derivation, weight in belief.items():
                for p, successor in self._after(derivation, token):
                    after[successor] += weight * p
            total = sum(after.values())
            if total == 0:
                return -math.inf, {}
            log_p += math.log(total)
            belief = {derivation: weight / total for derivation, weight in after.items()}
        return log_p, belief

    def _future(self, derivation, tokens, start, known):
        """The probability that a derivation goes on with tokens[start:]; known keeps it."""
        if start == len(tokens):
            return 1.0
        key = start, derivation
        if key not in known:
            known[key] = 0.0
            for p, successor in self._after(derivation, tokens[start]):
                known[key] += p * self._future(successor, tokens, start + 1, known)
        return known[key]

    def _next(self, belief, tokens=(), start=0, known=None):
        """{token: probability} of the token after a belief, with tokens[start:] after it."""
        out, right = defaultdict(float), tokens[start] if start < len(tokens) else None
        expand = self._expand_start if belief is self._first_belief else self._expand_fully
        for derivation, weight in belief.items():
            for token, steps in expand(derivation.state).items():
                for p, state in steps:
                    if right is None:
                        out[token] += weight * p
                    elif _may_write(state[0], right):
                        after = self._future(self._derivation(*state), tokens, start, known)
                        out[token] += weight * p * after
        return out

    def log_prob(self, text):
        return self._read(tokenize(text))[0]

    def next_token(self, prefix):
        return _ranked(self._next(self._read(tokenize(prefix))[1]))

    def likeliest(self, prefix, most):
        """The most probable document that begins with a prefix, best-first.

        Of all texts so far, the most probable one is always the next to grow, so the first to end
        is the answer. Returns its tokens after the prefix, the log probability of these, and how
        many texts were grown; no tokens (None) if `most` were grown and none has ended.
        """
        belief, order = self._read(tokenize(prefix))[1], itertools.count()
        growing = [(0.0, next(order), (), belief)]
        for grown in range(most):
            cost, _, tokens, belief = heapq.heappop(growing)
            if tokens and tokens[-1] == END:
                return tokens, -cost, grown
            belief = self._read(tokens[-1:], belief)[1]
            for token, p in self._next(belief).items():
                longer = cost - math.log(p), next(order), (*tokens, token), belief
                heapq.heappush(growing, longer)
        return None, -growing[0][0], most

    def blank(self, text):
        left, *right = re.split(re.escape(MASK), text)
        if len(right) != 1:
            raise ValueError(f"The text must hold exactly one {MASK}; it holds {len(right)}.")
        # This space belongs to the blank; an indentation does not
        left = re.sub(r"(?<![\n ]) \Z", "", left)
        after = self._next(self._read(tokenize(left))[1], tokenize(right[0]), 0, {})
        return _ranked(_of_a_blank(after))

    def log_probs(self, objective, document, positions=None):
        """ln p, in nats, of a whole Document's tokens at these positions (by default at all).

        "causal": each given those before it, the end included. "masked": each given all others, the
        end not.
        """
        tokens, known, read = [*document.tokens, END], {}, [self._read([])]
        for token in tokens:
            read.append(self._read([token], read[-1][1]))
        if positions is None:
            positions = range(len(tokens) - (objective == "masked"))
        if objective == "causal":
            return [read[i + 1][0] for i in positions]
        blanks = (_of_a_blank(self._next(read[i][1], tokens, i + 1, known)) for i in positions)
        return [math.log(blank[tokens[i]]) for i, blank in zip(positions, blanks, strict=True)]


def _options(weights, outcomes):
    """All that a slot can become: probabilities, running sums, outcomes, places.

    An outcome is (items, variable, value).

    places: {token: indices of the outcomes that begin with it}, under None those that begin with a
    slot or are empty.
    """
    total, places = float(sum(weights)), defaultdict(list)
    probabilities = [float(w) / total for w in weights]
    cumulative = list(itertools.accumulate(probabilities))
    cumulative[-1] = 1.0
    for place, (items, _, _) in enumerate(outcomes):
        places[items[0] if items and isinstance(items[0], str) else None].append(place)
    return probabilities, cumulative, outcomes, places


def _zipf_table(n_first, n_second, exponent, shift):
    """Probabilities [n_first, n_second] ~ 1 / (rank + shift) ** exponent, ranks over all pairs."""
    ranks = np.random.RandomState(0).permutation(n_first * n_second)
    table = (1 / (ranks + shift) ** exponent).reshape(n_first, n_second)
    return table / table.sum()


def _column(value, column=""):
    """The text of a remembered value, or a column of it, capitalised if the column's name is."""
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
    return functools.reduce(lambda rest, item: (item, rest), reversed(items), stack)


def _may_write(items, token):
    """Whether items, or a stack of them, can begin with the token (None: any), at a glance."""
    return items is not None and (token is None or type(items[0]) is not str or items[0] == token)


def _bind(env, variable, value):
    return (*(pair for pair in env if pair[0] != variable), (variable, value))


def _of_a_blank(joint):
    """The probabilities of a token for a blank, which is never the end."""
    kept = {token: p for token, p in joint.items() if p and token != END}
    total = sum(kept.values())
    return {token: p / total for token, p in kept.items()}


def _ranked(probabilities):
    return dict(sorted(probabilities.items(), key=lambda pair: -pair[1]))
