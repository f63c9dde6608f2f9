"""The dashboard: ingest, store, REST and pages."""
