"""Small SAM, SAM 2 and DINO networks, trained on images that the project draws itself."""
