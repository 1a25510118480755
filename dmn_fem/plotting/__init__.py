"""Pictures: phase images, responses of a point, networks, and what a database spans."""

from dmn_fem.plotting._animation import plot_results
from dmn_fem.plotting._figures import check_picture, new_figure
from dmn_fem.plotting._images import plot_descriptions, plot_image
from dmn_fem.plotting._maps import plot_design_map
from dmn_fem.plotting._report import write_report
from dmn_fem.plotting._responses import plot_histograms, plot_response
from dmn_fem.plotting._tree import plot_tree
from dmn_fem.plotting._validation import plot_validation

__all__ = [
    "check_picture",
    "new_figure",
    "plot_descriptions",
    "plot_design_map",
    "plot_histograms",
    "plot_image",
    "plot_response",
    "plot_results",
    "plot_tree",
    "plot_validation",
    "write_report",
]
