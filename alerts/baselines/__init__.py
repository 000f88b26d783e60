"""What is normal here: rules over arrays of looks, pure numpy, `[series, time]`, the newest look last. Pure."""
