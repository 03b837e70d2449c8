"""The index of what pictures are called and say of themselves: names, folders, keywords and dates."""
