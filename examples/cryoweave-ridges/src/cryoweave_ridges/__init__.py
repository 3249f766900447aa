"""Ridge points of a map, by a kernel in Rust, as a plugin of cryoweave."""
