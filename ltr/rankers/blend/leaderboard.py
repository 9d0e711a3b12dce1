"""The leaderboard of AutoRanker; imported when read, since pandas is slow to load."""

from __future__ import annotations

from typing import Any

import pandas as pd


class LeaderboardFrame(pd.DataFrame):
    """Data frame that prints all its columns, whatever the width of the terminal.

    Selections of it are plain data frames.

    Examples
    --------
    >>> rows = [{"member": "ridge", "score": 0.71234, "seconds": 0.06, "status": "fit"}]
    >>> print(LeaderboardFrame(rows).set_index("member").pipe(LeaderboardFrame))
           score seconds status
    ridge 0.7123     0.1    fit
    """

    def __repr__(self) -> str:
        formats: dict[Any, Any] = {"seconds": "{:.1f}".format}
        return str(
            self.to_string(
                float_format="{:.4f}".format,
                formatters={k: v for k, v in formats.items() if k in self.columns},
                index_names=False,
            )
        )
