"""What the command line says, a file a subject."""
