"""Training scripts that say nothing of Gradgate: run, watched, checked."""
