"""Writes llama_cpp.json: log-probs of five sentences by llama.cpp, to judge this example's own forward pass.

    pip install llama-cpp-python && python make.py SmolLM2-135M-Instruct.Q4_1.gguf
"""
import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
CASES = [
    ("Write one sentence about a movie.", "A warm, funny and quietly moving film about growing old."),
    ("Write one sentence about a movie.", "The 2 leads don't share 1 honest scene in 117 minutes."),
    ("Write one sentence about a movie.", "Dull."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Translate `good morning` to French and Spanish.", "Bonjour / Buenos d\u00edas \u2014 na\u00efve, isn't it?\n"),
]


def main(path):
    model = llama_cpp.Llama(path, n_ctx=256, logits_all=True, verbose=False)

    def tokens(text, special):
        return model.tokenize(text.encode(), add_bos=False, special=special)

    cases = []
    for prompt, completion in CASES:
        head = tokens(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n"
                      "<|im_start|>assistant\n", True)
        ids = tokens(completion, False) + tokens("<|im_end|>", True)
        model.reset()
        model.eval(head + ids)
        logits = np.array(model.scores[len(head) - 1 : len(head) + len(ids) - 1], dtype=np.float64)
        top = logits.max(axis=1, keepdims=True)
        lse = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        logprob = float((logits[np.arange(len(ids)), ids] - lse).sum())
        cases.append({"prompt": prompt, "completion": completion, "prompt_ids": head, "ids": ids,
                      "logprob": round(logprob, 6)})
    stored = {"model": Path(path).name, "llama_cpp_python": llama_cpp.__version__, "cases": cases}
    Path(__file__).with_name("llama_cpp.json").write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
