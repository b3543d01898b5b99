"""The one error of this package."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, of an unknown kind or cannot be written."""
