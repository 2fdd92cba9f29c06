"""A writer of Parquet files from codes that index a dictionary, as kernels make prices."""
