"""The language of conditions: scanned, compiled and evaluated."""
