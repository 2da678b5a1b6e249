"""The causal map on the page: one widget, drawn by heat_map.js."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).resolve().parent
STEPS = 33  # shades from the lightest to the darkest


def shades(name: str) -> list[str]:
    """A colour map of matplotlib's as hexadecimal colours, the lowest value first."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[name](step / (STEPS - 1))) for step in range(STEPS)]


class HeatMap(anywidget.AnyWidget):
    """Tokens down, layers across. `asked` grows by one when somebody presses the `chosen` cell."""

    _esm = HERE / "heat_map.js"
    _css = HERE / "heat_map.css"

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    subject = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)  # [start, stop) of its tokens
    layers = traitlets.Int(0).tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)  # float32, row by row; NaN where not computed yet
    low = traitlets.Float(0.0).tag(sync=True)  # the value of the lightest shade
    high = traitlets.Float(1.0).tag(sync=True)  # ... and of the darkest
    corrupted = traitlets.Float(0.0).tag(sync=True)  # marked on the scale
    answer = traitlets.Unicode("").tag(sync=True)
    shades = traitlets.List(traitlets.Unicode()).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # [token, layer], or empty
    asked = traitlets.Int(0).tag(sync=True)
