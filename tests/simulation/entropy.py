"""Takes the machine's clock and its randomness away from the service and its libraries, for one run.

The service is given its wall clock, but `time.monotonic` is read by tenacity, and ids come from the system.
"""

import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

# A machine has always been up for some time.
_UP_S = 1000.0


@contextmanager
def governed(draw: Random, seconds: Callable[[], float]) -> Iterator[None]:
    """Have all randomness come from `draw`, and the monotonic clock show the loop's `seconds`."""
    state = random.getstate()
    random.seed(draw.getrandbits(64))

    def drawn_uuid() -> uuid.UUID:
        return uuid.UUID(int=draw.getrandbits(128), version=4)

    def now() -> float:
        return _UP_S + seconds()

    with (
        patch.object(secrets, "randbelow", draw.randrange),
        patch.object(uuid, "uuid4", drawn_uuid),
        patch.object(time, "monotonic", now),
        patch.object(time, "perf_counter", now),
    ):
        yield
    random.setstate(state)
