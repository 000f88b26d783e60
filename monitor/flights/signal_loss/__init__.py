"""Where an aircraft went that is no longer heard: gaps, candidates, likelihood, ranking, confidence. Pure."""
