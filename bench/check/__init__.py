"""The conformance suite: what every contributed method must pass before it is compared."""
