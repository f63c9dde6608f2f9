"""Gates: conditional gradient flow."""
