"""A local server that speaks Runware's API, makes real clips and goes wrong on request.

It knows nothing of the service that it tests: its only contract is Runware's.
"""

from service.sandbox.options import Faults, SandboxOptions
from service.sandbox.server import Sandbox

__all__ = ["Faults", "Sandbox", "SandboxOptions"]
