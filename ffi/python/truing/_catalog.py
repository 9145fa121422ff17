"""The library's own catalogue of losses."""

import ctypes
import math

from . import _abi
from ._library import check, integer, library, parameters
from ._tensor import refuse

_KINDS = {value: name.removeprefix("TRUING_KIND_").lower() for name, value in vars(_abi).items() if name.startswith("TRUING_KIND_")}
_by_name, _by_id = {}, {}


class Param:
    """A parameter of an entry; `default` is NaN where the caller must give it."""

    def __init__(self, p):
        self.name, self.description, self.default = p.name.decode(), p.description.decode(), p.default_value
        self.minimum, self.maximum = p.minimum, p.maximum
        self.minimum_open, self.maximum_open = bool(p.minimum_open), bool(p.maximum_open)
        self.variant = p.variant

    def __str__(self):
        left, right = "(" if self.minimum_open else "[", ")" if self.maximum_open else "]"
        default = "required" if math.isnan(self.default) else f"default {self.default:g}"
        return f"{self.name}: {self.description} ({default}, in {left}{self.minimum:g}, {self.maximum:g}{right})"


class Entry:
    """A loss of the catalogue."""

    def __init__(self, d):
        self.id, self.kind = d.id, _KINDS[d.kind]
        self.name, self.formula, self.source = d.name.decode(), d.formula.decode(), d.source.decode()
        self.aliases = [d.aliases[i].decode() for i in range(d.num_aliases)]
        start = ctypes.cast(d.params, ctypes.c_void_p).value  # an element may be longer than this package knows
        places = [start + i * d.param_size for i in range(d.num_params)]
        self.params = [Param(_abi.truing_param_info.from_address(place)) for place in places]
        self.inputs, self.partials, self.preset_of = d.inputs, d.partials, d.preset_of
        self.param_partials, self.score_kinds, self.num_variants = d.param_partials, d.score_kinds, d.num_variants
        # NULL in a library that is older than the field
        self.variants = [d.variants[i].decode() for i in range(d.num_variants if d.variants else 0)]

    def __repr__(self):
        return f"<{self.kind} loss {self.name}>"


def read():
    """Reads the whole catalogue of the library."""
    _by_name.clear()
    _by_id.clear()
    for index in range(library().truing_loss_count()):
        d = _abi.truing_loss_description()
        d.struct_size = ctypes.sizeof(d)
        check(library().truing_loss_at(index, ctypes.byref(d)))
        e = Entry(d)
        _by_id[e.id] = e
        _by_name.setdefault(e.name, e)
        for name in (e.name, *e.aliases):
            _by_name[name, e.kind] = e
    return list(_by_id.values())


def entry(loss, level=None):
    """An entry by its name, alias, id, or itself; at the level "sequence" names of sequence entries come first."""
    if isinstance(loss, Entry):
        return loss
    if isinstance(loss, int):
        found = _by_id.get(loss)
    else:
        found = _by_name.get((loss, "sequence")) if level == "sequence" else None
        found = found or _by_name.get(loss)
        if found is None:
            number = _abi.truing_loss_id()
            if library().truing_loss_find(str(loss).encode(), ctypes.byref(number)) == _abi.TRUING_STATUS_OK:
                found = _by_id.get(number.value)
    if found is None:
        refuse("loss", repr(loss), "a name, alias or id of the catalogue")
    return found


def variant(entry, given):
    """The number of a variant, given by its name or number; 0 is none."""
    if isinstance(given, str):
        if given not in entry.variants:
            refuse("variant", repr(given), f"one of {', '.join(entry.variants) or 'none'}")
        return entry.variants.index(given) + 1
    return integer("variant", ctypes.c_uint32, given or 0)


def params(entry, given):
    """The array of the parameters in catalogue order, given as a dict or a list, and its length; None is the default."""
    names = [p.name for p in entry.params]
    if isinstance(given, dict):
        for name in given:
            if name not in names:
                refuse("params", repr(name), f"one of {', '.join(names)}")
        return parameters({f"params.{name}": given.get(name) for name in names})
    words = lambda i: f"params.{names[i]}" if i < len(names) else f"params[{i}]"  # noqa: E731
    return parameters({words(i): value for i, value in enumerate(given or ())})
