"""The figures: one file a picture, all in one quiet style."""
