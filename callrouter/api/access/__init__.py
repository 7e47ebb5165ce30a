"""Who may do and see what over HTTP: tokens, permissions, origins, and delays for wrong tokens."""
