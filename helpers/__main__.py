"""The command line: `python -m helpers COMMAND`, each with `--help`.

For learners `generate`, `pretrain` and `prefetch`; for teachers `talk`, `worksheets`, `handout` and
`room`.
"""

import contextlib
import os
import signal
import sys


def _leave(*_):
    """Ctrl-C while modules are imported: nothing is begun, and libraries would hide it."""
    with contextlib.suppress(OSError):
        os.write(2, b"Interrupted.\n")
    os._exit(130)


# So that Ctrl-C finds it from here on; in the background it may be ignored
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _leave)

import argparse  # noqa: E402
import importlib  # noqa: E402
import re  # noqa: E402
import shlex  # noqa: E402
import warnings  # noqa: E402

# Each command imports what it needs: some of it takes seconds.
SHELL_WORDS = {  # what the sentences for Python say, and what is said here
    r"use do_sample=False": "use --greedy",
    r"With do_sample=False": "With --greedy",
    r"Load it with load_\w+, or name": "Name with --model",
    r", or device='cpu'": "",
}

NEW = {"folder": "a new folder"}
WITH_MODELS = NEW | {"models": "real ones to take along, such as gpt2"}
TEACHERS = {  # command: the module of _plumbing, its function, what it does, and its arguments
    "talk": ("talk", "write_talk", "write slides, one file", {"number": "of a notebook: 05"}),
    "worksheets": ("classroom", "write_worksheets", "write a page of A4 for each notebook", {}),
    "handout": ("classroom", "write_handout", "copy the notebooks, no outputs or answers", NEW),
    "room": ("room", "gather_room", "gather what a room without a network needs", WITH_MODELS),
}


def main(arguments=None):
    """Run one command and return the exit status: 2 after a plain sentence on the standard error.

    Example:
        >>> main(["generate", "", "--model", "pocket-gpt2"])
        2
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # closed, or a notebook's
            stream.reconfigure(errors="replace")
    try:
        try:
            return _run(arguments)
        finally:  # also after a help text
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return _say("Interrupted.", 130)
    except BrokenPipeError:  # whoever read the output has seen enough
        _write_nowhere()
        return 141
    except OSError as error:
        if error.filename is None:
            _write_nowhere()
        where = error.filename or "The output"
        return _say(f"{where} cannot be read or written ({error.strerror or error}).", 2)


def _run(arguments):
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command is not _pretrain:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        importlib.import_module(options.needs)
    except ModuleNotFoundError as error:
        needed = "Install what the repository's requirements.txt lists."
        return _say(f"This command needs {error.name}. {needed}", 2)
    if signal.getsignal(signal.SIGINT) is _leave:  # from here on there may be work to finish
        signal.signal(signal.SIGINT, signal.default_int_handler)
    from helpers.models import ModelNotAvailable

    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: _say(message)
            options.command(options, rest)
    except (ValueError, TypeError, ModelNotAvailable) as error:
        return _say(_for_the_shell(str(error), vars(options)), 2)
    return 0


def _for_the_shell(sentence, options):
    """A sentence for Python in the words of the shell: arguments as options, {name: value}."""
    for pattern, words in SHELL_WORDS.items():
        sentence = re.sub(pattern, words, sentence)
    for name in options:
        option = f"--{name.replace('_', '-')}"
        sentence = re.sub(rf"\b{name}=(?=\S)", f"{option} ", sentence)
        place = rf"\b{name}\b" if "_" in name else rf"^{name}\b(?= must)"  # or a plain word
        sentence = re.sub(place, option, sentence)
    return sentence


def _say(sentence, status=0):
    """One line on the standard error, where there is one; returns the status."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            print(sentence, file=sys.stderr, flush=True)
    return status


def _write_nowhere():
    """Let what is left of the output, which nobody can take, raise nothing at the end."""
    with contextlib.suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser():
    about = "Language models from the shell."
    parser = argparse.ArgumentParser(prog="python -m helpers", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_generate(commands)
    pretrain = commands.add_parser("pretrain", help="train from scratch", add_help=False)
    pretrain.set_defaults(command=_pretrain, needs="helpers.lab.pretraining")
    room = "download models for a room without a good connection"
    prefetch = commands.add_parser("prefetch", help=room)
    prefetch.set_defaults(command=_prefetch, needs="helpers._plumbing.checkpoints")
    names = "such as gpt2 or bert-base-uncased"
    prefetch.add_argument("names", nargs="+", metavar="NAME", help=names)
    _add_classroom(commands)
    return parser


def _add_classroom(commands):
    for name, (module, function, about, arguments) in TEACHERS.items():
        parser = commands.add_parser(name, help=about)
        parser.set_defaults(command=_teach, needs=f"helpers._plumbing.{module}", calls=function)
        for argument, what in arguments.items():
            number = {"nargs": "*"} if argument == "models" else {}
            parser.add_argument(argument, help=what, **number)


def _add_generate(commands):
    shown = argparse.ArgumentDefaultsHelpFormatter
    generate = commands.add_parser("generate", help="continue a prompt", formatter_class=shown)
    generate.set_defaults(command=_generate, needs="helpers.generation")
    add = generate.add_argument
    add("prompt", help="the text to continue")
    add("--model", default="pocket-gpt2", help="bundled, on the hub, or a folder")
    add("--temperature", type=float, default=0.8, help="below 1 sharper, above 1 flatter")
    add("--top-k", type=int, default=50, help="draw among so many likeliest tokens; 0: all")
    add("--top-p", type=float, help="of those, only what holds this share of the chances; 1: all")
    add("--max-new-tokens", type=int, default=40, help="most tokens to add")
    add("--max-length", type=int, help="instead: most tokens, prompt included")
    add("--seed", type=int, help="repeats the same draw")
    add("--greedy", action="store_true", help="take the likeliest token each time")
    add("--num-return-sequences", type=int, default=1, help="how many texts to write")


def _generate(options, _):
    from helpers.generation import generate_text
    from helpers.models import load_causal_lm

    names = ("max_new_tokens", "max_length", "temperature", "top_k", "top_p", "seed")
    settings = {name: getattr(options, name) for name in (*names, "num_return_sequences")}
    lm = load_causal_lm(options.model)
    texts = generate_text(lm, options.prompt, do_sample=not options.greedy, **settings)
    print(texts if isinstance(texts, str) else "\n\n".join(texts))


def _pretrain(options, rest):
    """Hand the rest of the command line to the module that knows its own options."""
    from helpers.lab import pretraining

    as_it_is, about = argparse.RawDescriptionHelpFormatter, pretraining.__doc__
    look = {"description": about, "formatter_class": as_it_is}
    parser = argparse.ArgumentParser(prog="python -m helpers pretrain", **look)
    pretraining.add_arguments(parser)
    given = parser.parse_args(rest)
    vars(options).update(vars(given))  # the names that sentences about them use
    pretraining.run(given)


def _prefetch(options, _):
    from huggingface_hub import constants

    from helpers._plumbing import hub, smollm
    from helpers._plumbing.checkpoints import find, verify

    for name in options.names:
        if name == smollm.NAME and not hub.cached_folder(name):
            smollm.keep_by_pip(constants.HF_HUB_CACHE)
        folder = find(name, folders=False)
        verify(folder, name)
        megabytes = sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6
        print(f"{name}: {megabytes:,.1f} MB in {folder}")
    cache = str(constants.HF_HUB_CACHE)
    for_powershell = cache.replace("'", "''")
    print("For the room, copy the cache and set two variables on every computer. In PowerShell:")
    print(f"$env:HF_HUB_CACHE='{for_powershell}'; $env:HF_HUB_OFFLINE='1'")
    print("In any other shell:")
    print(f"export HF_HUB_CACHE={shlex.quote(cache)}\nexport HF_HUB_OFFLINE=1")


def _teach(options, _):
    """Call the function of a teacher's command, and print the path of what it wrote."""
    given = vars(options)
    arguments = [given[name] for name in ("number", "folder", "models") if name in given]
    print(getattr(sys.modules[options.needs], options.calls)(*arguments))


if __name__ == "__main__":
    sys.exit(main())
