"""Pictures of networks, edges, formulas and training."""
