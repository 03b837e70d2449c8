"""What a request says, read and checked: words, pictures, filters, windows, bodies."""
