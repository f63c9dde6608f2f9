"""The language of conditions: scanned, compiled, and evaluated in float64."""
