"""What goes wrong with databases, and what is marked."""


class DatabaseError(ValueError):
    """A database, its file or a question to it is wrong; the message is one line."""


class ExtrapolationWarning(UserWarning):
    """A network was extrapolated beyond the range of its database."""
