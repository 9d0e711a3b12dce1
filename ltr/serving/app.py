"""placeholder"""


def create_app() -> None:
    """placeholder."""
