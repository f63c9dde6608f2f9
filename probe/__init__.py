"""What runs inside the training job: measure gradients, explain them, freeze parameters."""
