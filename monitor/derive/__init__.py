"""From polls to visits and looks: the shell with a database around `monitor.flights` and `monitor.imagery`."""
