"""The documents of a packed batch, cut apart again."""

NOTHING = -100  # the label where nothing is predicted


def documents(batch, tokenizer):
    """[(ids, labels), ...] of a batch's documents, cut apart where the positions start anew."""
    found = []
    names = ("input_ids", "position_ids", "labels")
    for row in zip(*(batch[name].tolist() for name in names), strict=True):
        for token, position, label in zip(*row, strict=True):
            if token == tokenizer.pad_token_id:
                continue
            if position == 0:
                found.append(([], []))
            assert position == len(found[-1][0])
            for column, value in zip(found[-1], (token, label), strict=True):
                column.append(value)
    return found


def restored(ids, labels):
    """The ids of a document, what is hidden put back."""
    return [token if label == NOTHING else label for token, label in zip(ids, labels, strict=True)]
