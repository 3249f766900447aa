"""Errors that users see: each says what is wrong and what to do next, and decides the exit code."""


class CryoweaveError(Exception):
    """Base of every expected error; printed without a traceback.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    hint
        What the user can do next; printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(CryoweaveError):
    """A file, an array or a parameter's value cannot be used."""


class StageError(CryoweaveError):
    """A stage ran and could not give a result, e.g. no density above the threshold."""


class NotApplicableError(StageError):
    """A stage does not judge such a model, e.g. side chains of a Cα trace; ``validate`` leaves it out."""


class UsageError(CryoweaveError):
    """The command line or the recipe asks for something that does not exist or does not fit."""

    exit_code = 2


class NotGivenError(UsageError):
    """A stage cannot do without a parameter that is not given; ``validate`` leaves it out."""


class PluginError(CryoweaveError):
    """A plugin is missing, broken or incompatible."""

    exit_code = 3
