"""General tracers: which points may follow each other, and routes along such bonds."""
