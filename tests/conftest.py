"""One hypothesis profile for all tests: the same examples every time, and no clock (the machine may be busy)."""

from hypothesis import HealthCheck, settings

settings.register_profile("infsplign", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("infsplign")
