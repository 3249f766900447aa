"""MAINMAST: main-chain tracing by a minimum spanning tree and tabu search (Terashi & Kihara 2018)."""
