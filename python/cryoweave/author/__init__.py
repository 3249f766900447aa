"""What helps authors of plugins: a package to begin with, and the contract held against what is installed."""
