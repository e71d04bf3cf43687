"""What replays came to, as a picture: regret over time, on one page that needs nothing else."""

from itertools import cycle

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]
from plotly.colors import qualitative  # type: ignore[import-untyped]

from ressearch.replays.tournament import Tournament

BAND_OPACITY = 0.15


def replay_picture(found: Tournament, *, title: str = "") -> str:
    """Return a page of HTML: the median regret of each setting over time, and the band of its quartiles."""
    figure = go.Figure()
    for setting, one, color in zip(found.settings, found.anytimes, cycle(qualitative.D3), strict=False):
        low, high = one.band
        known = np.isfinite(high)
        minutes = one.seconds[known] / 60
        figure.add_scatter(
            x=np.concatenate([minutes, minutes[::-1]]),
            y=100 * np.concatenate([low[known], high[known][::-1]]),
            fill="toself",
            fillcolor=color,
            opacity=BAND_OPACITY,
            mode="none",
            hoverinfo="skip",
            showlegend=False,
            legendgroup=setting.name,
        )
        figure.add_scatter(
            x=minutes, y=100 * one.median[known], name=setting.name, line={"color": color}, legendgroup=setting.name
        )
    figure.update_layout(template="plotly_white", title=title, hovermode="x unified")
    figure.update_xaxes(title="minutes of the search", type="log")
    figure.update_yaxes(title="regret of the reported network, points", rangemode="tozero")
    return str(figure.to_html(include_plotlyjs=True))
