"""Adding a site from the page."""
