"""PocketWeb: the engine against independent references, and what the language itself promises."""

import itertools
import json
import math
import os
import random
import re
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from helpers.lab import pocketweb
from helpers.lab.architecture import CONTEXT, build_tokenizer
from helpers.lab.engine import Document, Language
from helpers.lab.estimates import mean_per_token
from helpers.lab.evaluation import unseen
from helpers.lab.grammar import END, MASK
from tests.support.notebook_plugin import ROOT

WEB = pocketweb.language()

# ---- a small language, and the same by hand

SMALL = r"""
document: 3x {tale} | 2x {guess}
    1x {sums} | 2x {copy}
tale: 2x {A=hero} met {B=hero not A}. {A.She} fed {A.her} {A.pet}{!F=mood}. It was {F.end}
    1x {!A=hero}The {A.pet} {use/A.pet}.\n
hero(she=she, her=her, pet): +girl | 2x Bo / he / his / cat
girl(she=she, her=her, pet): Ann / she / her / dog | Eve / she / her / cat
mood(end): good / fine. | 3x bad / bad.
use/dog: barks | 2x digs
use/cat: naps
guess: {!X=kind}{word/X} {word/X}{tail/X}
kind: l | r
word/l: 3x up | 1x down
word/r: 1x up | 3x down
tail/l: -
tail/r: 4x - | 1x .
sums: {A=digit}+{B=digit}={=A+B}
digit: 1 | 9
copy: {E=phrase}, {E}, {E}
phrase: {digit} {digit} | go {digit}
"""
PEOPLE = """
document: {people}
people: {P=first zipf} {Q=last zipf P} of {town of P Q}. {Q} is {P.he} of {town of P Q}.
first(he=he): Al | Di / she
last: Ito | Roy | Sen
town: York | Bath | Ulm
zipf first last: exponent 1.5, shift 1
"""


@cache
def by_hand():
    """Every text of SMALL with its probability, written down without the engine."""
    found = defaultdict(float)
    heroes = {"Ann": ("She", "her", "dog", 1 / 4), "Eve": ("She", "her", "cat", 1 / 4)}
    heroes["Bo"] = ("He", "his", "cat", 1 / 2)
    for name, (she, her, pet, p) in heroes.items():
        for other in heroes.keys() - {name}:
            p_other = heroes[other][3] / (1 - p)
            for end, p_end in (("fine.", 1 / 4), ("bad.", 3 / 4)):
                text = f"{name} met {other}. {she} fed {her} {pet}. It was {end}"
                found[text] += 3 / 8 * 2 / 3 * p * p_other * p_end
        for verb, p_verb in {"dog": [("barks", 1 / 3), ("digs", 2 / 3)], "cat": [("naps", 1)]}[pet]:
            found[f"The {pet} {verb}.\n"] += 3 / 8 * 1 / 3 * p * p_verb
    for one, two in itertools.product(("up", "down"), repeat=2):
        left, right = {"up": 3 / 4, "down": 1 / 4}, {"up": 1 / 4, "down": 3 / 4}
        found[f"{one} {two}"] += (
            2 / 8 * (left[one] * left[two] / 2 + right[one] * right[two] / 2 * 4 / 5)
        )
        found[f"{one} {two}."] += 2 / 8 * right[one] * right[two] / 2 * 1 / 5
    for a, b in itertools.product((1, 9), repeat=2):
        found[f"{a}+{b}={a + b}"] += 1 / 8 * 1 / 4
        found[f"{a} {b}, {a} {b}, {a} {b}"] += 2 / 8 * 1 / 2 * 1 / 4
    for a in (1, 9):
        found[f"go {a}, go {a}, go {a}"] += 2 / 8 * 1 / 2 * 1 / 2
    return {
        tuple(re.findall(r"\n| ?[A-Za-z]+| ?[0-9]|[.,+=]", text)): p for text, p in found.items()
    }


@cache
def small():
    return Language(SMALL)


@cache
def prefixes():
    """The probability that a document of SMALL begins with these tokens."""
    found = defaultdict(float)
    for tokens, p in by_hand().items():
        for n in range(len(tokens) + 1):
            found[tokens[:n]] += p
        found[(*tokens, END)] += p
    return dict(found)


def test_the_reference_is_a_distribution():
    assert sum(by_hand().values()) == pytest.approx(1)
    assert len(by_hand()) == 33
    assert all(tuple(pocketweb.tokenize("".join(tokens))) == tokens for tokens in by_hand())


def test_log_prob_equals_brute_force():
    for tokens, p in prefixes().items():
        assert small().log_prob("".join(tokens)) == pytest.approx(math.log(p), abs=1e-12), tokens


def test_next_token_equals_brute_force():
    for tokens, p in prefixes().items():
        expected = {end[-1]: q / p for end, q in prefixes().items() if end[:-1] == tokens and end}
        assert small().next_token("".join(tokens)) == pytest.approx(expected, abs=1e-12), tokens


def test_blank_equals_brute_force():
    for tokens in prefixes():
        for place, token in enumerate(tokens):
            if token == END:
                continue
            left, right = tokens[:place], tokens[place + 1 :]
            same = [
                t
                for t in prefixes()
                if len(t) > place and (t[:place], t[place + 1 :]) == (left, right)
            ]
            fits = {t[place]: prefixes()[t] for t in same}
            fits.pop(END, None)
            expected = {candidate: p / sum(fits.values()) for candidate, p in fits.items()}
            text = "".join(left) + " " * token.startswith(" ") + MASK + "".join(right)
            assert small().blank(text) == pytest.approx(expected, abs=1e-12), text


def test_floor_equals_brute_force():
    documents = small().sample(3000, seed=4)
    entropy, asked = 0.0, 0.0
    for tokens, p in by_hand().items():
        entropy -= p * math.log(p)
        asked += p * (len(tokens) + 1)  # the end is predicted too
    assert_floor(entropy / asked, [small().log_probs("causal", d) for d in documents])
    entropy, asked = 0.0, 0.0
    for tokens, p in by_hand().items():
        for place in range(len(tokens)):
            rest = tokens[:place] + tokens[place + 1 :]
            fits = [
                q
                for t, q in by_hand().items()
                if len(t) > place and t[:place] + t[place + 1 :] == rest
            ]
            entropy -= p * math.log(p / sum(fits))
            asked += p
    assert_floor(entropy / asked, [small().log_probs("masked", d) for d in documents])


def assert_floor(expected, log_probs):
    found = mean_per_token(
        [-sum(values) for values in log_probs], [len(values) for values in log_probs]
    )
    assert found.standard_error < 0.03
    assert abs(found.nats - expected) < 4 * found.standard_error, (found, expected)


def test_the_likeliest_document_is_that_of_brute_force():
    asked = 0
    for n in range(4):
        for prefix in {tokens[:n] for tokens in by_hand()}:
            fits = {t: p for t, p in by_hand().items() if t[: len(prefix)] == prefix}
            tokens, log_p, grown = small().likeliest("".join(prefix), 10**6)
            assert tokens[-1] == END
            assert math.exp(log_p) == pytest.approx(max(fits.values()) / sum(fits.values()))
            assert fits[prefix + tokens[:-1]] == pytest.approx(max(fits.values()))
            assert grown >= len(tokens)
            asked += 1
    assert asked > 10


def test_a_search_that_gives_up_says_what_no_text_exceeds():
    whole = small().likeliest("", 10**6)
    stopped = small().likeliest("", 2)
    assert stopped[0] is None
    assert stopped[1] >= whole[1]
    assert stopped[2] == 2


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("Colourless green ideas",), ValueError, "cannot go on from 'Colourless green ideas'"),
        (("What is a", 0), ValueError, "most must be a whole number from 1"),
        (("What is a", 1.5), TypeError, "most must be a whole number"),
    ],
)
def test_a_search_that_cannot_begin(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        pocketweb.likeliest(*arguments)


def test_small_samples_follow_the_reference():
    counts = Counter(document.tokens for document in small().sample(20_000, seed=2))
    assert counts.keys() <= by_hand().keys()
    assert_frequencies({tokens: 20_000 * p for tokens, p in by_hand().items()}, counts)


def assert_frequencies(expected, counts):
    """Chi-square over all bins with at least 5 expected; the rest is one bin."""
    total = sum(counts.values())
    bins = [(counts[key], e) for key, e in expected.items() if e >= 5]
    rest = total - sum(e for _, e in bins)
    if rest >= 5:
        bins.append((total - sum(c for c, _ in bins), rest))
    observed, wanted = np.array(bins).T
    assert len(bins) > 1
    assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-4


def test_zipf_pairs_and_facts():
    people = Language(PEOPLE)
    pairs = {
        f"{a} {b}": people.log_prob(f"{a} {b}") for a in ("Al", "Di") for b in ("Ito", "Roy", "Sen")
    }
    law = [1 / (rank + 1) ** 1.5 for rank in range(6)]
    assert sorted(map(math.exp, pairs.values()), reverse=True) == pytest.approx(
        [p / sum(law) for p in law]
    )
    towns = {}
    for pair, log_p in pairs.items():
        ((towns[pair], p),) = people.next_token(f"{pair} of").items()
        assert p == 1
        he = "she" if pair.startswith("Di") else "he"
        whole = f"{pair} of{towns[pair]}. {pair.split()[1]} is {he} of{towns[pair]}.{END}"
        assert people.log_prob(whole) == pytest.approx(
            log_p
        )  # the fact is the same again, and costs nothing
    assert len(set(towns.values())) > 1


def test_a_grammar_that_cannot_be_read():
    for source in (
        "document: {x\n!!",
        "  an alternative without a rule",
        "document: {Not a slot?}\n",
        "document\n",
    ):
        with pytest.raises(ValueError, match="The grammar has a"):
            Language(source)


WORK = """
document: {work}
work: The {J=job} said that {S=subject/J} left.
job: plumber | baker
subject/plumber: 9x she | 1x he
subject/baker: 1x she | 9x he
"""


@pytest.fixture
def work(tmp_path):
    file = tmp_path / "mine.grammar"
    file.write_text(WORK, encoding="utf-8")
    return file


def test_another_grammar_is_a_language(work):
    asked = "The plumber said that [MASK] left."
    for path in (work, str(work)):
        assert pocketweb.language(path).genres == ("work",)
        assert pocketweb.blank(asked, path) == pytest.approx({" she": 0.9, " he": 0.1})
        assert pocketweb.next_token("The", path) == {" plumber": 0.5, " baker": 0.5}
    assert pocketweb.language(work) is pocketweb.language(str(work))
    assert pocketweb.blank(asked) == {}


def test_a_changed_grammar_is_read_again(work):
    work.write_text(WORK.replace("9x she", "3x she"), encoding="utf-8")
    assert pocketweb.next_token("The plumber said that", work)[" she"] == 0.75


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "has no rule 'document'"),
        (WORK.replace("job:", "jobs:").encode(), "has no rule 'job'"),
        (WORK.replace("subject/baker", "subject/cook").encode(), "has no rule 'subject/baker'"),
        (b"document: Hello.", "must name genres"),
        (b"a line without a rule", "has a line that is neither"),
    ],
    ids=["missing", "not text", "empty", "no rule", "no row", "no genre", "no grammar"],
)
def test_another_grammar_that_cannot_be_used(source, said, tmp_path):
    file = tmp_path / "mine.grammar"
    if source is not None:
        file.write_bytes(source)
    with pytest.raises(ValueError, match=said):
        pocketweb.language(file)


# ---- exact probabilities


@cache
def documents(n=2000, seed=1):
    return WEB.sample(n, seed)


def random_prefixes(n):
    rng = random.Random(3)
    for document in rng.sample(documents(), n):
        yield document.tokens[: rng.randint(0, len(document.tokens))]


def test_next_token_sums_to_one():
    for prefix in random_prefixes(100):
        assert abs(sum(pocketweb.next_token("".join(prefix)).values()) - 1) < 1e-9, prefix


def test_next_token_is_ranked():
    shares = list(pocketweb.next_token("").values())
    assert len(shares) > 50
    assert shares == sorted(shares, reverse=True)


def test_product_of_next_token_is_log_prob():
    shortest_last = sorted(documents(), key=lambda document: -len(document.tokens))
    one_of_each = {document.genre: document for document in shortest_last}
    assert set(one_of_each) == set(WEB.genres)
    next_token = cache(pocketweb.next_token)  # all begin with the empty text
    for document in one_of_each.values():
        tokens = (*document.tokens, END)
        steps = [next_token("".join(tokens[:n]))[token] for n, token in enumerate(tokens)]
        assert sum(map(math.log, steps)) == pytest.approx(
            pocketweb.log_prob(document.text + END), abs=1e-9
        )


def test_blank_equals_brute_force_over_the_vocabulary():
    rng = random.Random(5)
    chosen = rng.sample([document for document in documents() if len(document.tokens) <= 25], 15)
    for document in chosen:
        tokens = [*document.tokens, END]
        place = rng.randrange(1, len(tokens) - 1)  # at 0 it would take half a minute
        right = tokens[place + 1 : rng.choice([len(tokens), rng.randint(place + 1, len(tokens))])]
        _, belief = WEB._read(tokens[:place])  # what all candidates share is read once
        expected = {c: math.exp(WEB._read([c, *right], belief)[0]) for c in WEB.vocabulary[:-1]}
        total = sum(expected.values())
        expected = {candidate: p / total for candidate, p in expected.items() if p}
        text = "".join([*tokens[:place], " " * tokens[place].startswith(" "), MASK, *right])
        assert pocketweb.blank(text) == pytest.approx(expected, abs=1e-9), text
        assert tokens[place] in expected


def test_blanks_of_a_document_agree_with_blank():
    for document in documents()[:12]:
        places = range(0, len(document.tokens), 3)
        for place, log_p in zip(places, WEB.log_probs("masked", document, places), strict=True):
            tokens = [*document.tokens, END]
            tokens[place] = " " * tokens[place].startswith(" ") + MASK
            assert pocketweb.blank("".join(tokens))[document.tokens[place]] == pytest.approx(
                math.exp(log_p), abs=1e-9
            )


def test_the_space_before_a_blank_belongs_to_it():
    assert list(pocketweb.blank("Once [MASK] a time")) == [" upon"]
    assert list(pocketweb.blank('def greet_user(name):\n    [MASK]("Hello')) == ["print"]
    assert "waves" in pocketweb.blank("Write a haiku about the sea.\n[MASK] fold into foam")
    assert "Once" in pocketweb.blank("[MASK] upon a time")


OUTSIDE = [
    "Once  upon",
    "once upon",
    " Once upon",
    "\x00",
    "é" * 3,
    f"{END}Once",
    "12+34=47",
    "[PAD]",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_outside_the_language(text):
    assert pocketweb.log_prob(text) == -math.inf
    assert pocketweb.next_token(text) == {}
    assert pocketweb.blank(f"{text} [MASK]") == {}


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.text())
def test_any_text_has_a_probability(text):
    assert pocketweb.log_prob(text) <= 0
    assert isinstance(pocketweb.next_token(text), dict)
    assert "".join(pocketweb.tokenize(text)) == text


@pytest.mark.parametrize("text", ["no blank", "[MASK] and [MASK]"])
def test_blank_needs_one_blank(text):
    with pytest.raises(ValueError, match="exactly one"):
        pocketweb.blank(text)


# ---- samples


@cache
def many():
    """The first tokens and the lengths of 40,000 documents, and all of their tokens."""
    rng, starts, lengths, seen = random.Random(7), [], Counter(), set()
    for _ in range(40_000):
        document = WEB.draw(rng)
        starts.append((*document.tokens, END)[:6])
        lengths[len(document.tokens)] += 1
        seen.update(document.tokens)
    return starts, lengths, seen


@cache
def expected_beginnings(depth, total):
    """How often every beginning of so many tokens is expected, where that is at least 5 times,
    whether or not it was seen.
    """
    if depth == 0:
        return {(): float(total)}
    grown = {}
    for prefix, expected in expected_beginnings(depth - 1, total).items():
        steps = {"": 1.0} if END in prefix else pocketweb.next_token("".join(prefix))
        grown |= {
            (*prefix, t) if t else prefix: expected * p
            for t, p in steps.items()
            if expected * p >= 5
        }
    return grown


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_frequencies_agree_with_exact_probabilities(depth):
    starts, _, _ = many()
    counts = Counter(start[:depth] for start in starts)
    assert_frequencies(expected_beginnings(depth, len(starts)), counts)


def test_probabilities_far_into_a_document_are_calibrated():
    rng, surplus, variance = random.Random(8), 0.0, 0.0
    for document in documents(3000, seed=9):
        place = rng.randint(len(document.tokens) // 2, len(document.tokens))
        exact = pocketweb.next_token("".join(document.tokens[:place]))
        token, p = next(iter(exact.items()))
        surplus += ((*document.tokens, END)[place] == token) - p
        variance += p * (1 - p)
    assert variance > 50
    assert abs(surplus) < 4 * math.sqrt(variance)


def test_a_seed_gives_the_same_texts_in_any_process():
    program = "from helpers.lab import pocketweb; print(repr(pocketweb.sample(200, 6)), end='')"
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    assert done.stdout == repr(pocketweb.sample(200, 6)), done.stderr
    assert pocketweb.sample(200, 6) != pocketweb.sample(200, 7)


def test_genres_can_be_chosen():
    assert {document.genre for document in pocketweb.language(["echo", "sums"]).sample(200, 0)} == {
        "echo",
        "sums",
    }
    assert pocketweb.sample(3, 0, genres="echo") == pocketweb.sample(3, 0, genres=["echo"])
    assert pocketweb.language(["sums", "echo"]) is pocketweb.language(("echo", "sums", "echo"))
    for genres in ("poem", ["echo", "poem"]):
        with pytest.raises(ValueError, match=r"no genre 'poem'.*story, encyclopedia"):
            pocketweb.sample(1, 0, genres=genres)
    with pytest.raises(ValueError, match="story, encyclopedia"):
        pocketweb.sample(1, 0, genres=[])


def test_every_document_fits_the_context():
    _, lengths, _ = many()
    assert max(lengths) + 2 <= CONTEXT


def test_the_vocabulary_covers_every_sample():
    _, _, seen = many()
    assert seen <= set(WEB.vocabulary)
    assert len(set(WEB.vocabulary)) == len(WEB.vocabulary)
    assert WEB.vocabulary[-1] == END


def test_the_language_is_rich():
    names = {
        row.text
        for rule in ("hero", "first_name", "last_name", "town", "river")
        for row in WEB.rules[rule]
    }
    words = {token.strip() for token in WEB.vocabulary if token.strip().isalpha()}
    assert len({word.lower() for word in words - names}) >= 600
    sentences = {
        row for rows in WEB.rules.values() for row in rows if sum(map(is_word, row.items)) >= 3
    }
    assert len(sentences) >= 200


def is_word(item):
    return isinstance(item, str) and item.strip().isalpha()


def test_the_planted_bias_is_the_published_one():
    for job, she in (("baker", 0.8), ("potter", 0.25), ("nurse", 0.5)):
        exact = pocketweb.next_token(f"The {job} went home early because")
        assert exact == pytest.approx({" she": she, " he": 1 - she})


def test_some_sums_and_people_are_held_out():
    sums = {
        (a, b): pocketweb.is_held_out(f"{a}+{b}={a + b}")
        for a in range(10, 60)
        for b in range(10, 60)
    }
    assert np.mean(list(sums.values())) == pytest.approx(0.1, abs=0.02)
    assert all(held == (zlib.crc32(f"{a}+{b}".encode()) % 10 == 0) for (a, b), held in sums.items())
    people = [f"Clara {row.text}" for row in WEB.rules["last_name"]]
    held = {
        person for person in people if pocketweb.is_held_out(f"Question: Where was {person} born?")
    }
    assert 0 < len(held) < len(people) / 10
    assert held == {
        person for person in people if pocketweb.is_held_out(f"{person} is a doctor from Ostrava.")
    }
    assert pocketweb.log_prob(f"{min(held)} is a") > -math.inf  # the language itself contains them


# ---- the tokenizer


def test_every_token_is_one_id():
    tokenizer = tokenizer_once()
    for document in documents():
        ids = tokenizer(document.text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert [tokenizer.decode([i]) for i in ids[1:]] == list(document.tokens)
        assert tokenizer.decode(ids, skip_special_tokens=True) == document.text


def test_a_blank_replaces_one_token():
    tokenizer, rng = tokenizer_once(), random.Random(1)
    for document in documents()[:500]:
        place = rng.randrange(len(document.tokens))
        expected = tokenizer(document.text).input_ids
        expected[place + 1] = tokenizer.mask_token_id
        tokens = list(document.tokens)
        tokens[place] = " " * tokens[place].startswith(" ") + MASK
        assert tokenizer("".join(tokens)).input_ids == expected


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.text())
@example("\0\ufffd 😀\u202e  [PAD")
def test_any_text_survives_the_tokenizer(text):
    tokenizer = tokenizer_once()
    assume(not any(special in text for special in tokenizer.all_special_tokens))
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


@cache
def tokenizer_once():
    return build_tokenizer()


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-bert"])
def test_the_shipped_tokenizers_are_the_built_one(name):
    shipped = json.loads(
        (ROOT / "helpers" / "data" / name / "tokenizer.json").read_text(encoding="utf-8")
    )
    assert shipped == json.loads(tokenizer_once().backend_tokenizer.to_str())


# ---- the floor


@cache
def shipped_floors():
    return json.loads((ROOT / "helpers" / "data" / "floors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_the_shipped_floor(objective):
    """Fresh documents agree with it: on all of their tokens, or on some of their blanks, which
    cost more.
    """
    floors = shipped_floors()
    assert "tests.tools.make_data floors" in floors["made_by"]
    assert set(floors[objective]) == {"all", *WEB.genres}
    shipped = pocketweb.entropy_floor(objective)
    assert shipped.standard_error < 0.003
    if objective == "causal":
        fresh = pocketweb.entropy_floor("causal", n_documents=100, seed=12)
    else:
        truth = unseen("masked", 100, 0.05, seed=12).truth
        fresh = mean_per_token([-sum(values) for values in truth], [len(v) for v in truth])
    assert fresh.standard_error < 0.2
    assert abs(fresh.nats - shipped.nats) < 4 * (fresh.standard_error + shipped.standard_error)


def test_a_fresh_floor_is_the_mean_over_the_blanks():
    fresh = pocketweb.entropy_floor("masked", n_documents=6, seed=3, genres="sums")
    web = pocketweb.language("sums")
    found = [-p for document in web.sample(6, 3) for p in web.log_probs("masked", document)]
    assert fresh.nats == pytest.approx(sum(found) / len(found))


def test_the_standard_error_is_the_spread_of_repeated_estimates():
    repeated = [pocketweb.entropy_floor("causal", 40, seed, "work") for seed in range(60)]
    spread = np.std([estimate.nats for estimate in repeated])
    assert spread == pytest.approx(
        np.mean([estimate.standard_error for estimate in repeated]), rel=0.3
    )


def test_floors_that_cannot_be_had():
    with pytest.raises(ValueError, match='"causal" or "masked"'):
        pocketweb.entropy_floor("prefix")
    with pytest.raises(ValueError, match="no genre 'poem'"):
        pocketweb.entropy_floor(genres="poem")
    with pytest.raises(ValueError, match="pass n_documents"):
        pocketweb.entropy_floor(genres="echo")


def test_knowing_the_genre_lowers_the_floor():
    """In a web of echo games alone nobody has to guess that a document begins with "Echo"."""
    alone = pocketweb.entropy_floor("causal", n_documents=20, genres="echo").nats
    echoes = [document for document in documents() if document.genre == "echo"]
    assert alone < -sum(sum(WEB.log_probs("causal", d)) for d in echoes) / sum(
        len(d.tokens) + 1 for d in echoes
    )


def test_log_probs_of_chosen_positions():
    document = Document("sums", ("1", "+", "1", "=", "2"))
    every = WEB.log_probs("causal", document)
    assert len(every) == 6
    assert WEB.log_probs("causal", document, [3, 4]) == every[3:5]
    assert len(WEB.log_probs("masked", document)) == 5
