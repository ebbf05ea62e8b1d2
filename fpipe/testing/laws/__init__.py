"""The laws, one file per family; each is a `Law` whose check takes the parts of one case."""
