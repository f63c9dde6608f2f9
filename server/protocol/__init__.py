"""The wire protocol as pydantic models and binary frames."""
