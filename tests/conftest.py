"""Settings that hold for every test."""

from hypothesis import HealthCheck, settings

# Machines are shared: a slow example says nothing. The same examples each time, so that a red run is a red change.
settings.register_profile(
    "situs", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("situs")
