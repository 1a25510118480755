"""Pictures of a validation: a network beside the full field, path by path."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dmn_fem.notation import COMPONENTS, Array, component_scale
from dmn_fem.online import Response
from dmn_fem.plotting._figures import new_figure


def plot_validation(responses: Mapping[str, tuple[Response, Response]], path: str | Path) -> None:
    """Draw the deviatoric stress over the increments, a panel for every path.

    Args:
        responses: Of the network and of the full field, by the name of the path.
        path: The picture.
    """
    figure = new_figure(4.5 * len(responses), 4.0)
    for number, (title, (network, full_field)) in enumerate(responses.items(), start=1):
        axes = figure.add_subplot(1, len(responses), number)
        dimension = 2 if full_field.stress.shape[1] == 4 else 3
        theirs, ours = _deviator(full_field.stress), _deviator(network.stress)
        for position, name in enumerate(COMPONENTS[dimension]):
            if np.abs(theirs[:, position]).max() > 0.05 * np.abs(theirs).max():
                colour, scale = f"C{position}", component_scale(dimension)[position]
                label = rf"$s_{{{name}}}$"
                axes.plot(full_field.time, theirs[:, position] / scale, color=colour, label=label)
                axes.plot(network.time, ours[:, position] / scale, "o", color=colour, ms=3)
        axes.set(title=title, xlabel="increment")
        axes.margins(y=0.2)
        axes.grid(alpha=0.3)
        axes.legend(title="full field", fontsize="small")
    figure.axes[0].set_ylabel("deviatoric stress; network: dots")
    figure.savefig(path, dpi=150)


def _deviator(stress: Array) -> Array:
    result = np.array(stress)
    result[:, :3] -= stress[:, :3].mean(axis=1, keepdims=True)
    return result
