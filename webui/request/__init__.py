"""What a request says, read and checked: words, pictures, filters, pages of a list, JSON bodies."""
