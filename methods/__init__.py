"""One folder an entry of the suite; `bench.registry` finds them by their cards."""
