"""What readings of the past amount to: summaries of stretches of time, charts and derived figures. Pure NumPy."""
