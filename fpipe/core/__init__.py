"""What a value is: decorators, equalities, tree walk, keys, lenses, code, errors, laws."""
