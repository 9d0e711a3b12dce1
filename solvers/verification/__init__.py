"""A check of solutions by code that shares nothing with the solvers.

``problems`` reads a call, ``candidates`` states each problem and lists its orders, and
``checks`` compares.
"""

from ltr.solvers.verification.checks import Fault, Verification, verify

__all__ = ["Fault", "Verification", "verify"]
