"""One function per loss of the library's catalogue, made when the library is loaded: names, parameters and texts are the
library's own."""

import inspect

from . import _catalog, _ops

ENTRIES = []
"""Every entry of the catalogue."""


def build():
    """Makes the functions anew from the loaded library."""
    for e in ENTRIES:
        globals().pop(e.name, None)
        globals().pop(f"{e.name}_{e.kind}", None)
    ENTRIES[:] = _catalog.read()
    for e in ENTRIES:
        same_name = [o for o in ENTRIES if o.name == e.name]
        # sapo is a token loss and a sequence loss: then the kind tells them apart
        name = e.name if len(same_name) == 1 else f"{e.name}_{e.kind}"
        globals()[name] = _function(e, name)


def __getattr__(name):
    """A loss by one of its aliases."""
    if not ENTRIES:
        raise AttributeError(f"no loss {name!r}: no library is loaded")
    for e in ENTRIES:
        if name in e.aliases:
            return globals().get(e.name) or globals()[f"{e.name}_{e.kind}"]
    raise AttributeError(f"no loss {name!r} in the catalogue")


def _function(entry, name):
    op = _ops.policy if entry.kind in ("token", "sequence", "estimator") else _ops.preference
    names = [p.name for p in entry.params]

    def loss(*tensors, **keywords):
        params = {n: keywords.pop(n) for n in names if n in keywords}
        return op(entry, *tensors, params=params or None, **keywords)

    signature = inspect.signature(op)
    own = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in names]
    kept = [p for n, p in signature.parameters.items() if n not in ("loss", "params", *names)]
    head = [p for p in kept if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    rest = [p for p in kept if p.kind is inspect.Parameter.KEYWORD_ONLY]
    last = [p for p in kept if p.kind is inspect.Parameter.VAR_KEYWORD]
    loss.__signature__ = signature.replace(parameters=head + own + rest + last)
    loss.__name__ = loss.__qualname__ = name
    loss.__module__ = __name__
    lines = [entry.formula, "", f"Kind: {entry.kind}. Source: {entry.source}"]
    if entry.aliases:
        lines.append(f"Also known as: {', '.join(entry.aliases)}")
    if entry.variants:
        lines.append(f"Variants: {', '.join(entry.variants)}")
    lines += ["", *(f"{p}" for p in entry.params), "", f"Other keywords: see truing.{op.__name__}."]
    loss.__doc__ = "\n".join(lines)
    loss.entry = entry
    return loss
