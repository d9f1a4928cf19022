"""Commands that use the package without its node, or beside it; the node imports none of them."""
