"""One JSON file a unit: what was asked, what it cost, what came out."""
