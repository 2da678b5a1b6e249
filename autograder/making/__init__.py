"""What makes the kit's own data, from the model and stored seeds."""
