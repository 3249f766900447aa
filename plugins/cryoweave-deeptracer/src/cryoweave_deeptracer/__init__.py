"""DeepTracer: a travelling salesman along the backbone, and the alignment of amino acids with the sequences."""
