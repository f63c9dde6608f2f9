"""Why a gradient is missing: one traced step, and the verdict on it."""
