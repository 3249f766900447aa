"""PULCHRA as a stage: all heavy atoms from Cα atoms."""
