"""The one base class of every error that Proofmill raises on purpose."""


class ProofmillError(Exception):
    """An expected failure: ``str(error)`` says what happened, ``error.remedy`` what to do about it.

    Command lines print both and exit with a non-zero status; anything that is not a ``ProofmillError`` is a bug.
    """

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy
