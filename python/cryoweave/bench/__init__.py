"""Many maps, many recipes: each pair a process of its own, all judged alike, one page."""
