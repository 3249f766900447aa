"""Figures of chain_comparison by its own code, as JSON: PROTEIN|RNA MODEL REFERENCE."""

import json
import sys

from libtbx.utils import null_out
from mmtbx.validation.chain_comparison import run

kind, model, reference = sys.argv[1:]
args = [reference, model, f"chain_type={kind}", "unique_part_of_target_only=False"]
found = run([*args, "test_unique_part_of_target_only=False"], quiet=True, out=null_out())
rmsd, close = found.get_values("close")
percent, match = found.get_close_to_target_percent("close"), found.get_match_percent("close")
fragments = found.get_n_fragments("forward") + found.get_n_fragments("reverse")
print(
    json.dumps(
        {
            "found": percent,
            "rmsd": rmsd,
            "ca_score": close / (max(1, found.get_target_length("close")) * max(0.1, rmsd)),
            "sequence_match": match,
            "sequence_score": match * percent / 10000,
            "close": close,
            "far": found.get_values("far_away")[1],
            "forward": found.get_values("forward")[1],
            "reverse": found.get_values("reverse")[1],
            "mixed": found.get_values("unaligned")[1],
            "mean_length": close / max(1, fragments),
            "fragments": found.input_fragments,
            "bad_connections": found.incorrect_connections,
        }
    )
)
