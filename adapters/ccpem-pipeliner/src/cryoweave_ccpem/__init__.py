"""cryoweave as jobs of the CCP-EM pipeliner."""
