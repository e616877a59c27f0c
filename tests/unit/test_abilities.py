"""Abilities: the items ask what they should, and every ruler agrees with a count of its own."""

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fill_mask import fill_mask
from helpers.generation import generate_text, next_token_probabilities
from helpers.lab import abilities, pocketweb
from helpers.lab.abilities import Answer, answer, echoes, few_shot, score, story_questions, sums
from helpers.models import load_causal_lm, load_masked_lm


@pytest.fixture(scope="module")
def causal():
    return load_causal_lm("pocket-gpt2", device="cpu")


@pytest.fixture(scope="module")
def masked():
    return load_masked_lm("pocket-bert", device="cpu")


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_sums_are_right_and_were_never_seen(digits):
    items = sums(digits, 40)
    assert len(items) == len(set(items)) == (40 if digits > 1 else len(items)) >= 5
    for item in items:
        a, b = map(int, item.prompt[:-1].split("+"))
        assert len(str(a)) == len(str(b)) == digits
        assert int(item.answer) == a + b
        assert pocketweb.is_held_out(item.prompt + item.answer)
        assert pocketweb.next_token(item.prompt)[item.answer[0]] == pytest.approx(1)
    possible = {a + b for a in range(10) for b in range(10)}
    assert sums(1, 1)[0].chance == pytest.approx(1 / len(possible))


@pytest.mark.parametrize("n_words", [3, 4, 8])
def test_echoes_are_certain_in_the_language(n_words):
    for item in echoes(n_words, 5):
        assert len(item.answer.split()) == n_words
        whole = pocketweb.log_prob(item.prompt + item.answer)
        assert math.isfinite(whole)
        assert whole == pytest.approx(pocketweb.log_prob(item.prompt))
        assert item.chance == pytest.approx(32.0**-n_words)


@pytest.mark.parametrize("n_examples", [2, 5, 7])
def test_examples_decide_the_label(n_examples):
    for item in few_shot(n_examples, 20):
        assert item.prompt.count("\n") == n_examples
        assert item.chance == 0.5
        assert pocketweb.next_token(item.prompt)[item.answer] == pytest.approx(1)


def test_without_examples_the_label_is_anybodys_guess():
    for item in few_shot(0, 10):
        truth = pocketweb.next_token(item.prompt)
        assert list(truth.values()) == pytest.approx([item.chance] * abilities.LABELS)


def test_with_one_example_a_blind_guess_is_the_label_in_the_row():
    items = few_shot(1, 400)
    assert {item.chance for item in items} == {0.5}
    repeated = sum(item.prompt.split("\n")[0].endswith(f":{item.answer}") for item in items)
    assert abs(repeated / 400 - 0.5) < 0.1


def test_wrong_labels_change_the_labels_alone():
    right, wrong = few_shot(7, 30), few_shot(7, 30, right_labels=False)
    names = [[line.split(":")[0] for line in item.prompt.split("\n")] for item in right]
    assert names == [[line.split(":")[0] for line in item.prompt.split("\n")] for item in wrong]
    assert [item.answer for item in right] == [item.answer for item in wrong]
    changed = sum(a.prompt != b.prompt for a, b in zip(right, wrong, strict=True))
    assert changed >= 25


def test_stories_answer_their_question():
    items = story_questions(60)
    assert len({item.prompt for item in items}) > 50
    for item in items:
        assert pocketweb.next_token(item.prompt) == {item.answer: pytest.approx(1)}
        assert item.chance in (0.5, pytest.approx(1 / 3))


def test_the_same_seed_gives_the_same_items():
    makers = (
        functools.partial(sums, 2),
        functools.partial(echoes, 3),
        functools.partial(few_shot, 3),
        story_questions,
    )
    for make in makers:
        assert make(5, seed=1) == make(5, seed=1) != make(5, seed=2)


def test_greedy_answers_are_those_that_the_model_writes(causal):
    items = [*sums(2, 6), *echoes(4, 6), *story_questions(6)]
    for item, found in zip(items, answer(causal, items, batch_size=4), strict=True):
        written = generate_text(
            causal, item.prompt, max_new_tokens=len(found.right), do_sample=False
        )
        assert causal.tokenizer.decode(found.right) == item.answer
        assert (
            causal.tokenizer.decode(found.greedy).split("<|endoftext|>")[0]
            == written[len(item.prompt) :]
        )


def test_probabilities_are_those_of_the_next_token(causal):
    [item] = sums(2, 1)
    [found] = answer(causal, [item])
    for i, token in enumerate(item.answer):
        exact = next_token_probabilities(causal, item.prompt + item.answer[:i])
        assert found.probabilities[i] == pytest.approx(
            {row.token: row.probability for row in exact}[token], rel=1e-4
        )
        assert found.squares[i] == pytest.approx(sum(row.probability**2 for row in exact), rel=1e-4)


def test_a_masked_model_fills_blanks(masked):
    items = story_questions(8)
    for item, found in zip(items, answer(masked, items), strict=True):
        [best] = fill_mask(masked, f"{item.prompt} [MASK]", top_k=1)
        [right] = fill_mask(masked, f"{item.prompt} [MASK]", targets=[item.answer.strip()])
        assert found.greedy == [best.token_id]
        assert found.probabilities == [pytest.approx(right.probability, rel=1e-4)]


def test_a_masked_model_fills_several_from_left_to_right(masked):
    [item] = echoes(3, 1)
    [found] = answer(masked, [item])
    words, text = item.answer.split(), item.prompt
    for i, word in enumerate(words):
        text = item.prompt + "".join(f" {w}" for w in words[:i]) + " [MASK]" * (len(words) - i)
        first = fill_mask(masked, text, targets=[word])
        first = first[0][0] if isinstance(first[0], list) else first[0]
        assert found.probabilities[i] == pytest.approx(first.probability, rel=1e-4)


def test_batches_change_nothing(causal):
    items = [*sums(2, 5), *echoes(4, 5)]
    for one, many in zip(
        (answer(causal, [item])[0] for item in items), answer(causal, items), strict=True
    ):
        assert one.greedy == many.greedy
        assert one.probabilities == pytest.approx(many.probabilities, rel=1e-3)


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tokens, tokens)
def test_edit_distance_is_that_of_the_definition(right, greedy):
    @functools.cache
    def distance(i, j):
        if i == 0 or j == 0:
            return i + j
        replaced = distance(i - 1, j - 1) + (right[i - 1] != greedy[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, replaced)

    assert abilities.edit_distance(Answer(right, greedy, [], [])) == distance(
        len(right), len(greedy)
    )


def test_the_rulers_on_probabilities():
    p = torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]], dtype=torch.float64)
    found = Answer([0, 2], [0, 1], [0.7, 0.25], p.square().sum(1).tolist())
    truth = torch.eye(3, dtype=torch.float64)[[0, 2]]
    assert abilities.brier(found) == pytest.approx((p - truth).square().sum(1).mean().item())
    assert abilities.token_probability(found) ** 2 == pytest.approx(0.7 * 0.25)
    assert abilities.exact_match(found) == 0.0
    assert abilities.exact_match(found._replace(greedy=[0, 2])) == 1.0


def test_score_is_a_mean_with_its_error():
    answers = [Answer([1], [1], [], [])] * 3 + [Answer([1], [2], [], [])]
    found = score(answers, abilities.exact_match)
    assert found.mean == 0.75
    assert found.standard_error == pytest.approx(math.sqrt(0.25 / 4))  # sample variance 0.25
