"""The phantom's abdomen, in mm and in brightness, painted from the outside inwards.

Nothing here is measured from a person. Sizes and contrasts are chosen so that the organ cannot be
found by brightness alone (a neighbour is as bright), nor by place alone (it moves and changes its
size), and so that the nodule has a twin outside the organ which is not it.

Axes: z along the body, y from front to back, x from the organ's side to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import Grid, ellipsoid, inside, paint, smooth
from .stream import Stream

ORGAN, NODULE = 1, 2
NODULE_CHANCE = 0.7
EDGE = 3.0
"""Width in mm over which one tissue turns into the next."""
LONG = 1000.0
"""Radius of what runs through all slices."""


@dataclass(eq=False)
class Canvas:
    """What the painters share. `image`, `label` and all the fields are (D, H, W).

    trunk   grid that bends the whole body      fine    grid that bends single organs
    grain   fine texture, about -1 to 1         lumps   coarse texture, about -1 to 1
    cavity  distance to the wall that holds the organs, negative inside
    """

    stream: Stream
    trunk: Grid
    fine: Grid
    grain: np.ndarray
    lumps: np.ndarray
    image: np.ndarray
    label: np.ndarray
    cavity: np.ndarray
    fat: float

    def add(self, distance: np.ndarray, value: np.ndarray | float) -> None:
        self.image = paint(self.image, inside(distance, edge=EDGE), value)


def anatomy(
    grid: Grid, stream: Stream, *, half_height: float, half_width: float, contrast: float
) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of the tissue (D, H, W) float64, and the label (D, H, W) uint8 of its geometry."""
    canvas = Canvas(
        stream=stream,
        trunk=grid.bent(stream, knots=(2, 3, 3), by=7),
        fine=grid.bent(stream, knots=(4, 6, 6), by=4),
        grain=smooth(stream, grid.shape, (12, 24, 24)),
        lumps=smooth(stream, grid.shape, (6, 9, 9)),
        image=np.zeros(grid.shape),
        label=np.zeros(grid.shape, np.uint8),
        cavity=np.zeros(grid.shape),
        fat=stream.near(455, 25),
    )
    trunk(canvas, half_height, half_width)
    spine = back(canvas, half_height)
    bowel(canvas)
    kidneys(canvas, spine)
    brightness = canvas.fat - 140 * contrast + stream.near(0, 15)
    neighbour(canvas, brightness)
    organ(canvas, brightness, contrast)
    return canvas.image, canvas.label


def trunk(canvas: Canvas, b: float, a: float) -> None:
    """Skin, bright fat, a dark muscle wall, the fat that the organs lie in."""
    wall = canvas.stream.uniform(9, 16)

    def shell(depth: float, forward: float = 0.0) -> np.ndarray:
        return ellipsoid(canvas.trunk, (0, -forward, 0), (LONG, b - depth, a - depth))

    canvas.add(shell(0), 180.0)
    canvas.add(shell(3), 560 + 25 * canvas.lumps)
    canvas.add(shell(wall), 210 + 20 * canvas.grain)
    canvas.cavity = shell(wall + 7, forward=3)
    canvas.add(canvas.cavity, canvas.fat + 45 * canvas.lumps)


def back(canvas: Canvas, b: float) -> float:
    """Muscles, a vertebra with its canal, the great vessel before it. Returns the vertebra's y."""
    stream, grid = canvas.stream, canvas.trunk
    for side in (-1, 1):
        muscle = ellipsoid(grid, (0, b - 26, side * 24), (LONG, 13, 17))
        canvas.add(muscle, 200 + 25 * canvas.grain)
    y = stream.near(b - 38, 3)
    canvas.add(ellipsoid(grid, (0, y, 0), (LONG, 14, 18)), 90.0)
    canvas.add(ellipsoid(grid, (0, y, 0), (LONG, 11.5, 15.5)), 330 + 30 * canvas.grain)
    canvas.add(ellipsoid(grid, (0, y + 18, 0), (LONG, 6, 7)), 620.0)
    vessel = ellipsoid(grid, (0, y - 21, stream.near(7, 4)), (LONG, 7, 7))
    canvas.add(vessel, stream.near(120, 30))
    return y


def bowel(canvas: Canvas) -> None:
    """Loops in front, each with a wall and a content of its own."""
    stream = canvas.stream
    for _ in range(stream.whole(13, 18)):
        centre = (stream.near(0, 70), stream.near(-22, 22), stream.near(5, 57))
        radii = (stream.uniform(10, 34), stream.uniform(8, 14), stream.uniform(9, 18))
        turn = stream.near(0, 1)
        for peel, value in ((0, 260.0), (3, stream.uniform(150, 560))):
            thin = (radii[0] - peel, radii[1] - peel, radii[2] - peel)
            loop = np.maximum(ellipsoid(canvas.fine, centre, thin, turn=turn), canvas.cavity)
            canvas.add(loop, value + 20 * canvas.grain)


def kidneys(canvas: Canvas, spine: float) -> None:
    for side in (-1, 1):
        stream = canvas.stream
        centre = (stream.near(-25, 14), stream.near(spine - 6, 5), side * stream.near(42, 4))
        bean = ellipsoid(canvas.fine, centre, (38, 15, 13), turn=side * 0.5)
        canvas.add(bean, stream.near(480, 30) + 25 * canvas.lumps)
        canvas.add(ellipsoid(canvas.fine, centre, (24, 6, 5), turn=side * 0.5), 620.0)


def neighbour(canvas: Canvas, brightness: float) -> None:
    """On the other side, about as bright as the organ: brightness alone does not find the organ."""
    stream = canvas.stream
    centre = (stream.near(20, 12), stream.near(-4, 10), stream.near(50, 7))
    radii = (stream.near(38, 8), stream.near(24, 5), stream.near(19, 4))
    solid = ellipsoid(canvas.fine, centre, radii, turn=stream.near(-0.3, 0.3))
    value = stream.near(brightness, 25) + 22 * canvas.grain
    canvas.add(np.maximum(solid, canvas.cavity), value)


def organ(canvas: Canvas, brightness: float, contrast: float) -> None:
    """Two lobes whose places, sizes and slopes vary; perhaps a nodule; always a nodule's twin."""
    stream, grid = canvas.stream, canvas.fine
    size = stream.uniform(0.7, 1.2)
    z, y, x = stream.near(4, 26), stream.near(-4, 15), stream.near(-40, 13)
    radii = (stream.near(46, 6) * size, stream.near(34, 5) * size, stream.near(27, 4) * size)
    main = ellipsoid(grid, (z, y, x), radii, turn=stream.near(0.2, 0.3))
    place = (z + stream.near(12, 10), y - stream.near(14, 6), x + stream.near(24, 8))
    radii = (stream.near(26, 5) * size, stream.near(15, 4) * size, stream.near(24, 5) * size)
    lobe = ellipsoid(grid, place, radii, turn=stream.near(-0.2, 0.3))
    whole = np.maximum(np.minimum(main, lobe), canvas.cavity + 3)
    canvas.add(whole, brightness + 16 * canvas.grain + 14 * canvas.lumps)
    canvas.label[whole < 0] = ORGAN

    value = brightness + 225 * contrast + stream.near(0, 20) + 10 * canvas.grain
    if stream.chance(NODULE_CHANCE):
        centre = (stream.near(z, 16), stream.near(y, 9), stream.near(x, 8))
        nodule = np.maximum(ball(canvas, centre), whole)
        canvas.add(nodule, value)
        canvas.label[nodule < 0] = NODULE
    centre = (stream.near(5, 25), stream.near(12, 10), stream.near(22, 10))
    twin = np.maximum(ball(canvas, centre), EDGE - whole)
    canvas.add(np.maximum(twin, canvas.cavity), value)


def ball(canvas: Canvas, centre: tuple[float, float, float]) -> np.ndarray:
    radius = canvas.stream.uniform(9, 15)
    return ellipsoid(canvas.fine, centre, (radius, radius, canvas.stream.near(radius, 1.5)))
