"""Networks: pure modules, sizes by argument, the published ones as defaults."""
