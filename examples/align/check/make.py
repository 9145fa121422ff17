"""Writes llama_cpp.json: log-probs of five sentences by llama.cpp, to judge this example's own forward pass.

    pip install llama-cpp-python && python make.py SmolLM2-135M-Instruct.Q4_1.gguf

Two values a sentence. `logprob`: llama.cpp on the same weights widened to f32, keys and values in f32 too; this is
what the example computes. `logprob_quantized`: llama.cpp on the file as it is, which also rounds every activation to
8 bits; that alone moves a sentence by some tenths of a nat.
"""
import ctypes
import json
import sys
import tempfile
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


def widen(path, target):
    """llama.cpp's own conversion of a quantised file to f32."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = llama_cpp.LLAMA_FTYPE_ALL_F32
    params.allow_requantize = True
    if llama_cpp.llama_model_quantize(path.encode(), target.encode(), ctypes.byref(params)) != 0:
        sys.exit("llama.cpp could not widen the model")


def measure(path, **options):
    """(prompt ids, completion ids, log-prob of the completion and the end of turn) of every case."""
    model = llama_cpp.Llama(path, n_ctx=256, logits_all=True, verbose=False, **options)

    def tokens(text, special):
        return model.tokenize(text.encode(), add_bos=False, special=special)

    for prompt, completion in CASES:
        head = tokens(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n"
                      "<|im_start|>assistant\n", True)
        ids = tokens(completion, False) + tokens("<|im_end|>", True)
        model.reset()
        model.eval(head + ids)
        logits = np.array(model.scores[len(head) - 1 : len(head) + len(ids) - 1], dtype=np.float64)
        top = logits.max(axis=1)
        lse = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
        yield head, ids, round(float((logits[np.arange(len(ids)), ids] - lse).sum()), 6)


def main(path):
    with tempfile.TemporaryDirectory() as folder:
        wide = str(Path(folder) / "f32.gguf")
        widen(path, wide)
        exact = list(measure(wide, type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32))
    lines = []
    for case, (head, ids, logprob), (_, _, quantized) in zip(CASES, exact, measure(path)):
        lines.append("  " + json.dumps({"prompt": case[0], "completion": case[1], "prompt_ids": head, "ids": ids,
                                        "logprob": logprob, "logprob_quantized": quantized}))
    about = json.dumps({"model": Path(path).name, "llama_cpp_python": llama_cpp.__version__})[1:-1]
    text = "{\n %s,\n \"cases\": [\n%s\n ]\n}\n" % (about, ",\n".join(lines))
    Path(__file__).with_name("llama_cpp.json").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
