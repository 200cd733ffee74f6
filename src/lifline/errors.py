"""Errors that a user can mend: each is one line that names what is wrong and what to do."""


class LiflineError(Exception):
    """Base of all errors that the command line prints as one line, and ends with their `status`."""

    status = 2


class NetworkError(LiflineError, ValueError):
    """A network, or a file that should hold one, breaks the contract of :mod:`lifline.network`."""


class InputError(LiflineError, ValueError):
    """Spikes, labels, an option or a file other than a network's cannot be used."""


class ToolError(LiflineError, RuntimeError):
    """An external tool is missing, too old, or has failed."""


class CheckError(LiflineError):
    """What was made does not do what the golden model does."""

    status = 1


class MissingExtra(LiflineError, ImportError):
    """A Python package of an optional extra is not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of lifline that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"Python package '{package}' is not installed: run  pip install 'lifline[{extra}]'"
        )
