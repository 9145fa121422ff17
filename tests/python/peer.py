"""What programs that run a trainer's own loss begin with."""

import importlib
import sys


def start(program, words, module, name):
    """`name` of the trainer's `module`, with the library loaded and torch seeded; ends the program where they are not installed.
    `words`: what is compared."""
    try:
        import torch

        found = getattr(importlib.import_module(module), name)
    except ImportError as e:
        print(f"SKIPPED 1: {e.name} is not installed, no {words}")
        print(f"{program}: 0 checks")
        sys.exit(0)
    import truing

    truing.load(sys.argv[1])
    torch.manual_seed(0)
    return found
