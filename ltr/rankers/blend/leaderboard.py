"""How the leaderboard of AutoRanker prints."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def leaderboard_frame(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, printing all its columns, whatever the width of the terminal.

    Selections of it are plain data frames.

    Parameters
    ----------
    table : DataFrame
        Rows of the leaderboard.

    Returns
    -------
    table : DataFrame
        Of a subclass.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"score": 0.71234, "seconds": 0.06, "status": "fitted"}
    >>> leaderboard_frame(pd.DataFrame([row], index=["linear"]))
            score seconds  status
    linear 0.7123     0.1  fitted
    """
    frame: pd.DataFrame = _frame_type()(table)
    return frame


@functools.cache
def _frame_type() -> Any:
    import pandas as pd

    class LeaderboardFrame(pd.DataFrame):
        def __repr__(self) -> str:
            formats: dict[Any, Any] = {"seconds": "{:.1f}".format}
            text = self.to_string(
                float_format="{:.4f}".format, formatters=formats, index_names=False
            )
            return str(text)

        def __reduce__(self) -> Any:
            return leaderboard_frame, (pd.DataFrame(self),)

    return LeaderboardFrame
