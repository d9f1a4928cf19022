"""The command `cfrnet-view`: a page in the browser beside running nodes."""
