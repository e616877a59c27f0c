"""What makes the files of `helpers/data` that nobody writes by hand; `--help` lists them."""
