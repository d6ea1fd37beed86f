"""Numbers: who is it (identity), which expression (recognition), where are the landmarks (landmark error)."""
