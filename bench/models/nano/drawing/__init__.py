"""Medical-looking slices with exact labels, drawn from nothing but a seed."""
