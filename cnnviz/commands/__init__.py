"""What a user types: one file per command, which is the data flow from a command line to a file on disk."""
