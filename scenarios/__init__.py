"""Recorded and reconstructed scenarios: each folder is one, run by `sitewatch replay`."""
