"""What a check of a script has found, in the forms that it is kept in."""
