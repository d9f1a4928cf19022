"""What produces the speed figures that the README quotes."""
