"""What a refused call raises."""

from . import _abi

_NAMES = {
    value: name.removeprefix("TRUING_STATUS_")
    for name, value in vars(_abi).items()
    if name.startswith("TRUING_STATUS_")
}


class Error(Exception):
    """A refused call; nothing has been written. `status` is a `TRUING_STATUS_*` number, `name` its name."""

    def __init__(self, status, message):
        self.status, self.name, self.message = status, _NAMES.get(status, str(status)), message
        super().__init__(f"{self.name}: {message}")
