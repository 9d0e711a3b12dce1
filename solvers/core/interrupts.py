"""Ctrl-C during a solve: the first ends the search, the second the program."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

# A Ctrl-C that follows an interrupted solve within this time ends the program: a user
# who presses it twice means a loop around the solves, not the next one of them.
SECONDS_BETWEEN_PRESSES = 1.0
# How often a thread that waits for compiled code looks whether to stop it.
_SECONDS_BETWEEN_LOOKS = 0.05

Value = TypeVar("Value")


class Interrupt:
    """Whether a solve shall end early.

    Attributes
    ----------
    stop : threading.Event
        Set once the solve shall return its best solution.
    is_ctrl_c : bool
        Whether Ctrl-C was pressed.
    """

    last_press = -float("inf")

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.is_ctrl_c = False

    def press(self, signum: int, frame: FrameType | None) -> None:
        """Handle SIGINT: end the solve, or if it was pressed before, the program."""
        now = time.monotonic()
        is_second = now - Interrupt.last_press < SECONDS_BETWEEN_PRESSES
        Interrupt.last_press = now
        if self.is_ctrl_c or is_second:
            signal.default_int_handler(signum, frame)
        self.is_ctrl_c = True
        self.stop.set()


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Handle Ctrl-C inside the block, if it would raise KeyboardInterrupt otherwise.

    Handlers of the user's own (those of event loops among them) stay, as does SIGINT
    where it is ignored; threads other than the main one have no handlers.

    Examples
    --------
    >>> with interruptible() as interrupt:
    ...     interrupt.press(signal.SIGINT, None)
    ...     interrupt.stop.is_set()
    True
    >>> Interrupt.last_press = -float("inf")
    """
    interrupt = Interrupt()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield interrupt
        return
    try:
        signal.signal(signal.SIGINT, interrupt.press)
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_compiled(
    run: Callable[[], Value],
    *,
    is_cancelled: Callable[[], bool],
    stop: Callable[[], Any] | None,
    look: Callable[[], None] | None = None,
) -> Value | None:
    """Run compiled code, which handles no signals, so that it can be ended early.

    It runs in a thread of its own, so it must release the interpreter's lock, while
    this thread handles signals and looks whether to stop it.

    Parameters
    ----------
    run : callable
        Calls the compiled code.
    is_cancelled : callable
        Whether to end it.
    stop : callable or None
        Makes ``run`` return soon. None: it cannot be stopped, and is left behind.
    look : callable, default=None
        Called in this thread now and then, and at the end.

    Returns
    -------
    value : object or None
        What ``run`` returns; None if it was left behind.

    Examples
    --------
    >>> run_compiled(lambda: 3, is_cancelled=lambda: False, stop=None)
    3
    """
    values: list[Value] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            values.append(run())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    try:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            if look is not None:
                look()
            if is_cancelled():
                if stop is None:
                    return None
                stop()
    except BaseException:
        if stop is not None:
            stop()
            done.wait()
        raise
    if errors:
        raise errors[0]
    if look is not None:
        look()
    return values[0]
