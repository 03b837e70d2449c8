"""The bytes of pictures: as they are on disk, and small."""
