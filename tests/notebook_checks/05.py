"""What must hold in 05_generate_text_with_gpt2.ipynb; see `tests/support/notebook_checks.py`."""


def after_explorer():
    """The suggested move shows: the first bar three times as long, five bars that differ."""
    import re

    lengths = {}
    for explorer.temperature.value in (0.3, 2.0, 1.0):
        bars = re.findall(r'<i style="[^"]*width:([\d.]+)%', explorer.bars.value)
        lengths[explorer.temperature.value] = [float(length) for length in bars]
    cold, warm = lengths[0.3], lengths[1.0]
    assert cold[0] >= 3 * warm[0] > 3 * lengths[2.0][0]
    assert sum(abs(a - b) > 2 for a, b in zip(cold, warm, strict=True)) >= 5


def after_softmax():
    assert torch.allclose(powers / powers.sum(), scores.softmax(-1))


def after_program_run():
    from helpers.generation import generate_text

    assert generate_text(pocket, prompt, max_length=80, temperature=0.6, seed=1) == text


def after_greedy_measure():
    from helpers._plumbing.words import repeated

    greedy_share, drawn_share = (sum(repeated(text)) / len(text.split()) for text in texts)
    assert greedy_share > 2 * drawn_share


def after_meter_check():
    assert possible(uncut[0]) > 90 > 30 > possible(uncut[-1])
    assert possible(cut[-1]) > possible(uncut[-1])
    assert len(set(uncut[0])) < 24 < 43 < len(set(uncut[-1]))


def after_yours_run():
    beginnings = {text.removeprefix(my_prompt).split()[0] for text in texts.values()}
    assert len(beginnings) > 1, "each seed says something else"


def after_real_explorer():
    assert "not on this machine" in real.status.value
    assert real.lm is None


def after_topp_three():
    found = pd.DataFrame(rows)
    assert found["kept by top-k 2"].tolist() == [2, 2, 2]
    assert found["kept by top-p 0.85"].tolist() == [1, 2, 3]


def after_topp_explorer():
    """The suggested move shows: more tokens are kept the higher the temperature."""
    import re

    kept = []
    for nucleus.temperature.value in (0.3, 1.0, 2.0):
        kept.append(int(re.search(r"([\d,]+) of", nucleus.status.value)[1].replace(",", "")))
    assert 2 * kept[0] < kept[1] < kept[2] / 4
    nucleus.temperature.value = 1.0


def after_frontier_measure():
    """As much sense as the prose says: nearly all up to 1, and top-k 10 the most at 2."""
    found = live.set_index(["temperature", "cut"])
    assert (found.loc[[1.0]].possible > 0.9).all()
    assert found.possible[2.0, "no cut"] < found.low[2.0, "top-k 10"]


def after_frontier_explorer():
    """The stored plane supports each sentence, and the suggested move shows it."""
    from helpers.lab.frontier import beaten_by

    stored = tables.read("frontier")
    hot = (100 * stored[stored.temperature == 2].set_index("cut").possible).round()
    shares = {"no cut": 13, "top-p 0.9": 33, "top-k 50": 51, "top-k 10": 74}
    assert hot[list(shares)].to_dict() == shares
    beaten = {
        (row.cut, row.temperature) for row in stored.itertuples() if len(beaten_by(stored, row))
    }
    assert beaten == {("top-k 3", 1.5), ("top-k 3", 2.0)}
    assert (stored[stored.entropy < 0.2].query("cut != 'top-k 3'").possible > 0.97).all()
    plane.temperature.value, plane.cut.value = 2.0, "top-k 3"
    assert "stored settings clearly have more of both" in plane.status.value
    plane.temperature.value, plane.cut.value = 1.0, "no cut"


def after_frontier_lost():
    mean = {fits: sum(found) / len(found) for fits, found in nats.items()}
    assert 2 * mean[True] < mean[False]


def after_ties_run():
    assert distribution(torch.tensor([3.0, 3.0, 1.0]), top_k=1).tolist() == [0.5, 0.5, 0.0]


def after_best_tree():
    """*That is all.* has almost twelve times the chance of the greedy text."""
    whole = text_tree(pocket, "What is a").text
    assert "0.401 %: No mouse is needed. (greedy)" in whole
    assert "4.71 %: That is all. (beam search with 4, exact)" in whole


def after_best_why():
    found = pocketweb.next_token(shared)
    assert [round(chance, 6) for chance in found.values()] == [0.2] * 5
    assert list(pocketweb.next_token(shared + " That").values()) == [1.0]
    model = {c.token: c.probability for c in next_token_probabilities(pocket, shared)}
    assert model[" No"] > model[" That"]
    assert len(pocketweb.next_token(shared + " No")) > 10


def after_best_cat():
    assert "(greedy, beam search with 4, exact)" in text_tree(pocket, "The cat").text


def after_best_write():
    tree = text_tree(pocket, "Write a").text
    assert "(greedy, beam search with 4)" in tree
    assert "Serve hot. (exact)" in tree
    assert pocketweb.next_token("Write a")[" haiku"] > 0.5


def after_best_story():
    assert "exact)" not in text_tree(pocket, "Once upon a time", most=5_000).text


def after_context_run():
    assert chances[" pink"] < 0.1


def after_padding_run():
    batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    output = model.generate(**batch, max_new_tokens=8, do_sample=False, pad_token_id=end)
    alone = generate_text(pocket, prompts[0], 8, do_sample=False)
    assert tokenizer.decode(output[0], skip_special_tokens=True) == alone
