"""Reading out what is stored: status, history, tables, plots, backtests."""
