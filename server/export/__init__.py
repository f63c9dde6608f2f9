"""What leaves a run as files: its tables as Parquet and CSV, and a report."""
