"""DeepMainmast's detection (Terashi et al. 2024): atoms and amino acids by its published U-Nets."""
