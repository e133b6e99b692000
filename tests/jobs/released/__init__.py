"""What version 0.1 had: its encoder, and values as it encoded them."""
