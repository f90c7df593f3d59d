"""What goes on, second by second: taken by the sampler, kept in a bounded history."""
