"""Settings: the only reader of the environment, of sitewatch.toml and of secrets."""
