"""The picture of generated cells in the README: python docs/microstructures.py."""

from pathlib import Path

import numpy as np

from dmn_fem.microstructure import PhaseImage, discs, fibres, laguerre, random_field
from dmn_fem.plotting import new_figure, plot_image


def main() -> None:
    """Draw four cells beside each other."""
    import tempfile

    from PIL import Image

    cells: dict[str, PhaseImage] = {
        "discs": discs(0.6, 60, seed=2, variation=0.3).image(256),
        "random_field": random_field(2, 0.4, seed=1, wavelength=0.1).image(256),
        "grains": laguerre(2, 60, seed=3, variation=0.4).image(256),
        "fibres": fibres(0.15, 80, seed=1, orientation=(0.7, 0.2, 0.1)).image(96),
    }
    figure = new_figure(16.0, 4.0)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, cell) in enumerate(cells.items(), start=1):
            path = Path(folder) / f"{name}.png"
            plot_image(cell, path)
            picture = np.asarray(Image.open(path).convert("RGB"))
            height, width = picture.shape[:2]
            # Of a cell in 3D the last of four views, and never the title and the legend.
            left = 3 * width // 4 if cell.dimension == 3 else int(0.09 * width)
            axes = figure.add_subplot(1, len(cells), number)
            axes.imshow(picture[int(0.09 * height) : int(0.87 * height), left:])
            axes.axis("off")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
