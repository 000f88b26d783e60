"""The pages that are asked: counts and visits of all sites, by filters that stand in their addresses."""
