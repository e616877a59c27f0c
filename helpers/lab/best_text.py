"""Do the best steps make the best text? Greedy, beam search and the exact answer, as one tree.

Greedy takes the token that the model finds likeliest, again and again. Beam search, transformers'
own, follows several texts at once. `pocketweb.likeliest` searches the grammar, where every
probability is known, until it has the most probable text.
"""

import itertools
import math
from operator import itemgetter

from helpers._plumbing.checks import check_whole_number, encode
from helpers._plumbing.words import visible
from helpers.charts import Picture
from helpers.generation import decode_after, end_tokens
from helpers.lab import pocketweb


def text_tree(lm, prompt, num_beams=4, most=pocketweb.MOST_GROWN):
    """The greedy text, that of beam search and the most probable one, as a tree that folds.

    Beside each piece is the true chance of the text up to its end, given that it begins with the
    prompt. Returns a `Picture`.

    Args:
        num_beams: how many texts beam search follows. It compares whole texts by their probability
            (a length penalty of 0), which is not the default of transformers.
        most: how many texts the exact search may grow by a token before it gives up.

    Raises:
        ValueError, TypeError: fewer beams than 1 or more than the vocabulary has tokens; a model
            with other tokens than PocketWeb's; what `pocketweb.likeliest` would refuse.

    Example:
        >>> from helpers.models import load_causal_lm
        >>> text_tree(load_causal_lm("pocket-gpt2"), "The cat")
        <figure: - 23.3 %: The cat sat on the mat. (greedy, beam search with 4, exact)>
    """
    ids = encode(lm, prompt)
    check_whole_number(num_beams, "num_beams", 1, lm.model.config.vocab_size)
    if not lm.knows_whole_words_only:
        problem = f"{lm.name!r} has other tokens than PocketWeb, so nothing is known of its texts"
        raise ValueError(f"{problem}. Use load_causal_lm('pocket-gpt2').")
    best = pocketweb.likeliest(prompt, most)
    ways = {"greedy": 1, f"beam search with {num_beams}": num_beams}
    texts = {way: _searched(lm, ids, n) for way, n in ways.items()}
    said = ""
    if best.tokens is None:
        said = f"The exact search grew {most:,} texts, none of them ended, and it stopped. "
        said += f"No whole text has a chance above {_chance(best.log_prob)}."
    else:
        texts["exact"] = best.tokens
    page, lines = _branch(prompt, texts, pocketweb.log_prob(prompt))
    page = f"<p>{said}</p>{page}" if said else page
    look = "max-width:756px;line-height:1.5;overflow-wrap:anywhere"
    return Picture(f'<div style="{look}">{page}</div>', "\n".join([said, *lines]).strip())


def _searched(lm, ids, num_beams):
    """What beam search, which with one beam is greedy, adds to ids [1, n_prompt], as tokens."""
    output = lm.model.generate(
        ids,
        attention_mask=ids.new_ones(ids.shape),
        max_new_tokens=lm.context - ids.shape[1],
        do_sample=False,
        num_beams=num_beams,
        length_penalty=0.0 if num_beams > 1 else None,
        pad_token_id=end_tokens(lm)[0],
    )
    new = output[0, ids.shape[1] :].tolist()
    ended = not set(end_tokens(lm)).isdisjoint(new)
    return (*pocketweb.tokenize(decode_after(lm, ids, new)), *[pocketweb.END] * ended)


def _branch(before, texts, start, depth=0):
    """What several texts share after `before`, and below it each way on: (HTML, lines of text).

    `start` is the log probability of the prompt.
    """
    columns = zip(*texts.values(), strict=False)
    shared = [column[0] for column in itertools.takewhile(_all_equal, columns)]
    so_far = before + "".join(shared)
    piece = ("".join(shared) if depth else so_far).replace(pocketweb.END, "").strip()
    rest = {way: tokens[len(shared) :] for way, tokens in texts.items()}
    alike = not any(rest.values())
    said = f"{_chance(pocketweb.log_prob(so_far) - start)}: {piece}"
    said += f" ({', '.join(texts)})" * alike
    page, lines = visible(said).replace("\n", "<br>"), ["  " * depth + f"- {said}"]
    if not alike:
        inside, rest = "", sorted(rest.items(), key=itemgetter(1))
        for _, ways in itertools.groupby(rest, lambda pair: pair[1][:1]):
            part, more = _branch(so_far, dict(ways), start, depth + 1)
            inside, lines = inside + part, lines + more
        page = f"<details open><summary>{page}</summary>{inside}</details>"
    return f'<ul style="margin:2px 0;padding-left:20px"><li>{page}</li></ul>', lines


def _all_equal(column):
    return len(set(column)) == 1


def _chance(log_p):
    if log_p == -math.inf:
        return "impossible"
    percent = 100 * math.exp(log_p)
    return f"{percent:.3g} %" if percent >= 0.001 else "below 0.001 %"
