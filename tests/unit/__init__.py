"""One file of tests for each part of the package, of the repository and of its tools."""
