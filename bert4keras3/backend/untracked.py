"""Values that Keras does not look into."""


class Untracked:
    """Holds a value in an attribute of a Keras object, which tracks lists and dicts.

    Keras copies those it finds, and takes models and variables in them for its own.
    """

    def __init__(self, value):
        self.value = value
