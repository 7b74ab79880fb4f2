"""The words of a request: their grammar, what they compose to, the demand that results."""
