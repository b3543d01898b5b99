"""Model families, one file each; `models.registry` finds them by name."""
