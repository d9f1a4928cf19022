"""What produces the speed figures that README.md and docs/ quote."""
