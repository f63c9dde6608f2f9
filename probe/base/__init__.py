"""What every other room may use: errors, the guard, states, targets, source places."""
