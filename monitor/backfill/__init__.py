"""Loading history from archives of flight tracks: read in parts, here or on a cluster, then played through the pipeline."""
