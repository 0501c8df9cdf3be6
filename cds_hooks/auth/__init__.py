"""Who may call, and who may look: client tokens and the operators' secret."""
