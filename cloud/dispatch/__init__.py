"""Who is asked for help, in which order, and when more are asked: pure decisions."""
