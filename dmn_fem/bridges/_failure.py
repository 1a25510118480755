"""What interfaces without a word for failed points are told."""

from dmn_fem.laws import Status


class PointsFailed(RuntimeError):
    """A law found no answer at some of its points; state and stress are as they were accepted."""


def require_answers(status: Status) -> None:
    """Raise `PointsFailed` if points failed."""
    if status.failed:
        raise PointsFailed(
            f"{status.failed} of {status.codes.size} points found no stress, point {status.worst} "
            "among them; take a smaller step"
        )
