"""What a reader need never open: checks of arguments, the files of models, downloads."""
