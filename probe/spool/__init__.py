"""What could not be sent, on disk: a file of bounded size, and the folder of such files."""
