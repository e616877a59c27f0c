"""Make the files of `helpers/data` that nobody writes by hand, each by one command."""

import argparse

from tests.tools.make_data import (
    card,
    fine_tuning,
    floors,
    frontier,
    mask_rates,
    masks,
    pages,
    record,
    surgery,
    sweep,
)

MAKERS = {
    "card": card,
    "fine_tuning": fine_tuning,
    "floors": floors,
    "frontier": frontier,
    "mask_rates": mask_rates,
    "masks": masks,
    "pages": pages,
    "record": record,
    "surgery": surgery,
    "sweep": sweep,
}


def main(arguments=None):
    """Run one maker with its own options."""
    as_it_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.tools.make_data", description=__doc__)
    makers = parser.add_subparsers(required=True, metavar="WHAT")
    for name, module in MAKERS.items():
        about = {"help": module.__doc__.split("\n")[0], "description": module.__doc__}
        of = makers.add_parser(name, formatter_class=as_it_is, **about)
        of.set_defaults(run=module.run)
        module.add_arguments(of)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
