"""PocketWeb: a miniature web written by one grammar, whose every probability is known.

`helpers/data/pocketweb.grammar` is the language; its first lines explain the notation. Here are the
questions that one asks it: draw texts, the probability of a text, of the next token, of a blank,
and the lowest loss that any model could reach. How they are answered is told in `engine`. The
tokens are those of the pocket models, so truth and model stand on one axis.
"""

import functools
import itertools
import json
import math
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from helpers._plumbing.checks import check_whole_number
from helpers._plumbing.files import DATA
from helpers._plumbing.words import shown
from helpers.lab.engine import Language
from helpers.lab.estimates import Estimate, mean_per_token
from helpers.lab.grammar import END, MASK, TOKEN_PATTERN, tokenize

__all__ = [
    "END",
    "MASK",
    "TOKEN_PATTERN",
    "blank",
    "entropy_floor",
    "is_held_out",
    "language",
    "likeliest",
    "log_prob",
    "next_token",
    "sample",
    "tokenize",
]

BROKEN = ArithmeticError, IndexError, NameError, RecursionError, SyntaxError  # a grammar's faults
MOST_GROWN = 200_000  # texts that a search grows before it gives up
_SUM = re.compile(r"\d+\+\d+")
_NO_PUNCTUATION = str.maketrans("", "", ".,()?:")


def language(genres=None):
    """PocketWeb itself, or some of its genres only, or the language of another grammar; built once.

    Args:
        genres: one name or several. Or the path of a grammar file, such as a changed copy of
            `helpers/data/pocketweb.grammar`: a `Path`, or a text that ends in ".grammar". All
            functions below, `pretrain` and `unseen` take it in the same way.

    Raises:
        ValueError: for a genre that does not exist; the message names those that do. For a grammar
            that cannot be read, or that lacks a rule.

    Example:
        >>> language("haiku").genres
        ('haiku',)
        >>> language(DATA / "pocketweb.grammar").genres == language().genres
        True
    """
    if is_grammar_file(genres):
        return _of_file(genres)
    names = [genres] if isinstance(genres, str) else genres
    return _language(None if names is None else frozenset(names))


def is_grammar_file(genres):
    """Whether these genres are the path of a grammar: a `Path`, or a text that ends so."""
    return isinstance(genres, Path) or (isinstance(genres, str) and genres.endswith(".grammar"))


@functools.cache
def _language(genres):
    return Language((DATA / "pocketweb.grammar").read_text(encoding="utf-8"), genres)


def _of_file(path):
    try:
        return _of_text(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, *BROKEN) as error:
        raise ValueError(f"The grammar {path} cannot be read: {error}.") from error
    except KeyError as error:
        needed = "or no row of the rule that another one names"
        raise ValueError(f"The grammar {path} has no rule {error}, {needed}.") from error


@functools.lru_cache(maxsize=8)
def _of_text(source):
    """A language of which every rule that is met in its texts exists."""
    found = Language(source)
    found.sample(200, seed=0)
    return found


@functools.cache
def _first_names():
    return {row.text for row in language().rules["first_name"]}


def is_held_out(text):
    """Whether pre-training must not see this text: a tenth of the sums, a fiftieth of the people.

    The language itself contains them, with their full probability.

    Example:
        >>> is_held_out("Once upon a time")
        False
    """
    found = _SUM.findall(text) if "+" in text else ()
    if any(zlib.crc32(one.encode()) % 10 == 0 for one in found):
        return True
    words = text.translate(_NO_PUNCTUATION).split()
    if _first_names().isdisjoint(words):
        return False
    pairs, names = itertools.pairwise(words), _first_names()
    pairs = (f"{first} {last}" for first, last in pairs if first in names)
    return any(zlib.crc32(person.encode()) % 50 == 0 for person in pairs)


def sample(n, seed, genres=None):
    """Draw n documents, of all genres or some: a list of texts, the end token left out.

    The same seed, a whole number, gives the same texts on every machine. Raises ValueError as
    `language` does, and ValueError or TypeError for a number or a seed that is none.

    Example:
        >>> sample(1, seed=0) == sample(1, seed=0)
        True
    """
    n, seed = check_whole_number(n, "n", 0), check_whole_number(seed, "seed", 0)
    return [document.text for document in language(genres).sample(n, seed)]


def log_prob(text, genres=None):
    """The log probability, in nats, that a document begins with this text; -inf outside.

    Append `<|endoftext|>` for the probability of the whole document.

    Example:
        >>> log_prob(""), log_prob("Colourless green ideas sleep furiously.")
        (0.0, -inf)
    """
    return language(genres).log_prob(text)


def is_possible(text, genres=None):
    """Whether a document can begin with this text.

    Example:
        >>> is_possible("Once upon a time"), is_possible("Colourless green ideas")
        (True, False)
    """
    return log_prob(text, genres) > -math.inf


def next_token(prefix, genres=None):
    """The exact distribution of the token after a prefix: {token: probability}, likeliest first.

    Words carry their leading space; the end of the document is the outcome `<|endoftext|>`. {}
    outside the language.

    Example:
        >>> next_token("Once upon a")
        {' time': 1.0}
    """
    return language(genres).next_token(prefix)


def blank(text, genres=None):
    """The exact distribution of one `[MASK]` given both sides: {token: probability}.

    A blank stands for a token of the text, never for its end. The text is the beginning of a
    document, whatever may follow it summed out; end it with `<|endoftext|>` to say that it is the
    whole. {} outside the language. Raises ValueError unless the text holds exactly one `[MASK]`.

    Example:
        >>> blank("Once upon a [MASK], in a small village")
        {' time': 1.0}
    """
    return language(genres).blank(text)


class Likeliest(NamedTuple):
    """The most probable document that begins with a prefix, as far as it was found."""

    tokens: tuple | None  # after the prefix, the end token last; None: the search gave up
    log_prob: float  # of these, given the prefix, in nats; where it gave up, no text has more
    grown: int  # how many texts were grown by a token


def likeliest(prefix, most=MOST_GROWN, genres=None):
    """The most probable document that begins with a prefix: a Likeliest, found best-first.

    Args:
        most: how many texts may be grown by a token before the search gives up.

    Raises:
        ValueError, TypeError: a prefix outside the language, a text that has ended, a `most` below
            1.

    Example:
        >>> found = likeliest("The cat")
        >>> "".join(found.tokens), round(math.exp(found.log_prob), 3)
        (' sat on the mat.<|endoftext|>', 0.233)
    """
    check_whole_number(most, "most")
    if not next_token(prefix, genres):
        such = "a beginning that it can, such as 'What is a'"
        raise ValueError(f"PocketWeb's program cannot go on from {shown(prefix)}. Take {such}.")
    return Likeliest(*language(genres).likeliest(prefix, most))


def entropy_floor(objective="causal", n_documents=None, seed=0, genres=None):
    """The lowest loss that any model could reach on PocketWeb: an Estimate in nats per token.

    Args:
        objective: "causal", the next token given those before it (the end included), or "masked",
            one blank at a time given all of the rest of its document (the end never blank).
        n_documents: how many fresh documents to average over. By default nothing is computed: the
            answer is the shipped one, from `helpers/data/floors.json`, which names its command.
        seed: which documents.
        genres: the floor of a web that has only these; such floors are not shipped.

    Raises:
        ValueError, TypeError: for another objective, an unknown genre, some genres without
            n_documents, or no whole number of them above zero.

    Example:
        >>> 0 < entropy_floor("masked").nats < entropy_floor("causal").nats
        True
    """
    if objective not in ("causal", "masked"):
        raise ValueError(f'The objective must be "causal" or "masked", not {objective!r}.')
    web = language(genres)
    if n_documents is None:
        if web.genres != language().genres:
            raise ValueError("The shipped floor is that of all genres; for some, pass n_documents.")
        shipped = json.loads((DATA / "floors.json").read_text(encoding="utf-8"))
        return Estimate(*shipped[objective]["all"])
    check_whole_number(n_documents, "n_documents")
    found = [web.log_probs(objective, document) for document in web.sample(n_documents, seed)]
    return mean_per_token([-sum(log_probs) for log_probs in found], list(map(len, found)))
