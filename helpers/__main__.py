"""The command line: `python -m helpers generate | pretrain | prefetch`, each with `--help`."""

import argparse
import os
import sys
import warnings

# Each command imports what it needs: some of it takes seconds.


def main(arguments=None):
    """Run one command and return the exit status: 2 after a plain sentence on the standard error.

    Example:
        >>> main(["generate", "", "--model", "pocket-gpt2"])
        2
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command is not _pretrain:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    from helpers.models import ModelNotAvailable

    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
            options.command(options, rest)
        sys.stdout.flush()
    except (ValueError, TypeError, ModelNotAvailable) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _parser():
    about = "Language models from the shell."
    parser = argparse.ArgumentParser(prog="python -m helpers", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_generate(commands)
    training = "train a pocket model from scratch"
    commands.add_parser("pretrain", help=training, add_help=False).set_defaults(command=_pretrain)
    room = "download models for a room without a good connection"
    prefetch = commands.add_parser("prefetch", help=room)
    prefetch.set_defaults(command=_prefetch)
    names = "such as gpt2 or bert-base-uncased"
    prefetch.add_argument("names", nargs="+", metavar="NAME", help=names)
    return parser


def _add_generate(commands):
    shown = argparse.ArgumentDefaultsHelpFormatter
    generate = commands.add_parser("generate", help="continue a prompt", formatter_class=shown)
    generate.set_defaults(command=_generate)
    add = generate.add_argument
    add("prompt", help="the text to continue")
    add("--model", default="pocket-gpt2", help="bundled, on the hub, or a folder")
    add("--temperature", type=float, default=0.8, help="below 1 sharper, above 1 flatter")
    add("--top-k", type=int, default=50, help="draw among so many likeliest tokens; 0: all")
    add("--max-new-tokens", type=int, default=40, help="most tokens to add")
    add("--max-length", type=int, help="instead: most tokens, prompt included")
    add("--seed", type=int, help="repeats the same draw")
    add("--greedy", action="store_true", help="take the likeliest token each time")
    add("--num-return-sequences", type=int, default=1, help="how many texts to write")


def _generate(options, _):
    from helpers.generation import generate_text
    from helpers.models import load_causal_lm

    names = ("max_new_tokens", "max_length", "temperature", "top_k", "seed", "num_return_sequences")
    settings = {name: getattr(options, name) for name in names}
    lm = load_causal_lm(options.model)
    texts = generate_text(lm, options.prompt, do_sample=not options.greedy, **settings)
    print(texts if isinstance(texts, str) else "\n\n".join(texts))


def _pretrain(_, rest):
    """Hand the rest of the command line to the module that knows its own options."""
    from helpers.lab import pretraining

    parser = argparse.ArgumentParser(
        prog="python -m helpers pretrain",
        description=pretraining.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pretraining.add_arguments(parser)
    pretraining.run(parser.parse_args(rest))


def _prefetch(options, _):
    from huggingface_hub import constants

    from helpers._plumbing.checkpoints import find, verify

    for name in options.names:
        folder = find(name)
        verify(folder, name)
        megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        print(f"{name}: {megabytes:,.1f} MB in {folder}")
    print("For the room, copy the cache and set, on every computer:")
    print(f"HF_HUB_CACHE={constants.HF_HUB_CACHE}\nHF_HUB_OFFLINE=1")


if __name__ == "__main__":
    sys.exit(main())
