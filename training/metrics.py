"""How good generated captions are: BLEU-1..4 and CIDEr by the coco-caption definitions.

The scorers are `pycocoevalcap`'s. Words come from `data.text.tokenize` instead of the Java PTB tokenizer
of coco-caption, for hypotheses and references alike, so that no Java is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider

from data.text import tokenize

MAX_ORDER = 4


def caption_scores(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> dict[str, float]:
    """Score one hypothesis caption per picture against that picture's reference captions.

    Both mappings are keyed by picture name and must hold the same names. Returns `bleu1` to `bleu4`
    (corpus BLEU with the closest reference length's brevity penalty, Papineni et al. 2002, in percent),
    `cider` (Vedantam et al. 2015, on the scale where 0.45 is usually printed as 45), `distinct` (number of
    different hypotheses) and `mean_length` (words per hypothesis). CIDEr weighs n-grams by how many of the
    given pictures they describe, so it means something for whole splits only.

    Raises ValueError when there is no picture, the names differ, or a picture has no reference.
    """
    _check(references, hypotheses)
    truth = {name: [_words(one) for one in captions] for name, captions in references.items()}
    made = {name: [_words(hypotheses[name])] for name in references}
    bleu, _ = Bleu(MAX_ORDER).compute_score(truth, made, verbose=0)
    cider, _ = Cider(n=MAX_ORDER).compute_score(truth, made)
    sentences = [sentence for (sentence,) in made.values()]
    return {
        **{f"bleu{order}": 100 * float(value) for order, value in enumerate(bleu, 1)},
        "cider": float(cider),
        "distinct": len(set(sentences)),
        "mean_length": sum(len(sentence.split()) for sentence in sentences) / len(sentences),
    }


def _check(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> None:
    if not references:
        raise ValueError("no pictures to score captions of")
    if references.keys() != hypotheses.keys():
        odd = sorted(references.keys() ^ hypotheses.keys())
        raise ValueError(f"references and hypotheses name different pictures, for one {odd[0]}")
    bare = next((name for name, captions in references.items() if not captions), None)
    if bare is not None:
        raise ValueError(f"{bare} has no reference caption")


def _words(sentence: str) -> str:
    return " ".join(tokenize(sentence))
