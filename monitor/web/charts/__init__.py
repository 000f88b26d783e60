"""Charts as SVG and as data for the script. Pure."""
