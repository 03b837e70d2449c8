"""Which pipeline answers which clause: words, or a picture, over one state of the index and one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from captioner.calibration import Calibration
from captioner.types import ALIKE, JOINT, SearchModel
from data.store import Store
from data.text import tokenize
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from retrieval.index.index import Index
from retrieval.search.adjusted import EVERYTHING, AllWanted, AlsoCloseTo, Everything, OfClause
from retrieval.search.films import FilmStages
from retrieval.search.fusion import (
    CLOSE,
    BleuFusion,
    CosineFusion,
    PictureFusion,
    UnlikenessFusion,
    VerbatimFusion,
    WordFusion,
    term_prior,
)
from retrieval.search.metadata import METADATA, Matches, MetadataFusion, MetadataRetriever, MetadataScorer, match
from retrieval.search.people import FoundPeople, People, PeopleFusion, ShowsPeople
from retrieval.search.pipeline import Candidates, Clause, Pipeline, Stage
from retrieval.search.query import QueryError, QueryFilm, QueryImage
from retrieval.search.relevance import Relevance
from retrieval.search.reranker import reranker_of
from retrieval.search.retrievers import EVERY, BleuRetriever, VectorRetriever
from retrieval.search.scorers import NEIGHBOURS, UNLIKENESS, BleuScorer, CosineScorer, NeighbourScorer, VerbatimScorer
from retrieval.search.strictness import strictness
from retrieval.search.unsaid import content_words, no_synonyms, unsaid_words

WORDS = "words"
"""The name of the clause of typed words."""
MAX_WORDS = 1000
MOST_SAID = 5
"""Captions of a film in a query that are told."""
DEFAULT_ENCODER = "vgg16"
"""Of a library that is searched without a captioner."""


@dataclass(frozen=True)
class ClausePlan:
    """A clause and the pipeline that answers it.

    `unsaid` are its words that no caption says and no metadata; `matches` is what its words found in the metadata,
    `people` whom they name.
    """

    clause: Clause
    pipeline: Pipeline
    unsaid: Sequence[str] = ()
    matches: Matches | None = None
    people: FoundPeople | None = None

    def score(self, ids: np.ndarray, retrieved: Candidates | None) -> Candidates:
        """Score the items of rising `ids`; scores that its own retrievers found are used again."""
        return self.pipeline.score(self.clause, (retrieved or Candidates()).with_ids(ids))


class Planner:
    """Makes clauses and pipelines; only the ids `allowed` (rising) are retrieved, None for all."""

    def __init__(
        self,
        store: Store,
        index: Index,
        model: SearchModel | None,
        allowed: np.ndarray | None = None,
        people: People | None = None,
    ) -> None:
        self._people = people
        self._store, self._index, self._model, self._allowed = store, index, model, allowed
        self._pictures = len(index) if allowed is None else len(allowed)

    def words(self, text: str, uncounted: Sequence[str] = ()) -> ClausePlan:
        """Plan a search by words: names, dates and other metadata first, then captions and vectors.

        The hits of each of the `uncounted` texts are hits, too.

        Raises QueryError where there is no word, or there are too many.
        """
        people = self._people.find(text) if self._people else None
        if people is not None:
            return self._of_people(text, people)
        plan = self._words(text)
        if not uncounted or plan.matches is not None:
            return plan
        fewer = [self._likely(one, _query_words(one)) for one in uncounted]
        self._index.scan(JOINT, [one.clause.vectors[JOINT] for one in (plan, *fewer) if JOINT in one.clause.vectors])
        others = [self._of_clause(one) for one in fewer]
        retrievers: list[Stage] = [*plan.pipeline.retrievers, *others]
        saying = self._index.captions.ids_with(tokenize(text))
        fusion = AlsoCloseTo(others, plan.pipeline, saying)
        return replace(plan, pipeline=replace(plan.pipeline, retrievers=retrievers, fusion=fusion))

    def _of_clause(self, plan: ClausePlan) -> OfClause:
        """Return the stage for a part of the words; in a small library all that share a word are candidates anyway."""
        if self._pictures > EVERY:
            return OfClause(plan.clause, plan.pipeline)
        others = [one for one in plan.pipeline.retrievers if not isinstance(one, BleuRetriever)]
        return OfClause(plan.clause, replace(plan.pipeline, retrievers=others))

    def _of_people(self, text: str, people: FoundPeople) -> ClausePlan:
        """Plan a search for pictures of people, ordered by the other words, which may restrict them to dates."""
        ids = people.ids if self._allowed is None else np.intersect1d(people.ids, self._allowed, assume_unique=True)
        among = Planner(self._store, self._index, self._model, ids)
        usual = among._words(people.rest) if content_words(people.rest) else among.everything()
        dated = usual.matches.allowed if usual.matches else None
        shown = ids if dated is None else np.intersect1d(ids, dated, assume_unique=True)
        retrievers = [*usual.pipeline.retrievers, ShowsPeople(shown)]
        fusion = PeopleFusion(shown, usual.pipeline.fusion)
        pipeline = replace(usual.pipeline, retrievers=retrievers, fusion=fusion, close=CLOSE)
        clause = replace(usual.clause, name=WORDS, captions=[text])
        return replace(usual, clause=clause, pipeline=pipeline, people=people._replace(ids=shown))

    def without(self, number: int, text: str) -> ClausePlan:
        """Plan what words that a query excludes are near, for those pictures whose captions do not say them."""
        plan = self._captions(text, _query_words(text))
        return replace(plan, clause=replace(plan.clause, name=f"without{number}"), unsaid=())

    def everything(self) -> ClausePlan:
        """Plan a search that only excludes: all pictures are equally wanted."""
        ids = self._index.ids if self._allowed is None else self._allowed
        return ClausePlan(
            Clause(EVERYTHING), Pipeline([Everything(ids)], [Everything(ids)], AllWanted(), CLOSE, EVERYTHING)
        )

    def _words(self, text: str) -> ClausePlan:
        tokens = _query_words(text)
        matches = match(text, self._index.metadata, self._index.captions, self._allowed)
        if matches is None:
            return self._captions(text, tokens)
        return self._with_metadata(Clause(WORDS, [text], [tokens]), matches)

    def _with_metadata(self, clause: Clause, matches: Matches) -> ClausePlan:
        """Plan a search whose words metadata explain, in part or all; captions are searched for the rest."""
        among = Planner(self._store, self._index, self._model, matches.allowed)
        tokens = tokenize(matches.rest)
        usual = among._captions(matches.rest, tokens) if tokens else None
        pipeline = usual.pipeline if usual else Pipeline([], [], BleuFusion(), tie_break=METADATA)
        clause = replace(usual.clause, captions=clause.captions) if usual else clause
        retrievers = [*pipeline.retrievers, MetadataRetriever(matches, len(self._index), self._retrievers)]
        scorers = [*pipeline.scorers, MetadataScorer(matches, self._index.captions)]
        fusion = MetadataFusion(matches, usual.pipeline.fusion if usual else None)
        unsaid = [word for word in usual.unsaid if not matches.explains(word)] if usual else []
        combined = replace(pipeline, retrievers=retrievers, scorers=scorers, fusion=fusion)
        return ClausePlan(clause, combined, unsaid, matches)

    def _retrievers(self, ids: np.ndarray) -> list[Stage]:
        """Return what retrieves by captions and vectors among `ids`, rising."""
        return [
            BleuRetriever(self._index.captions, TYPED_VARIANT, len(ids), ids),
            VectorRetriever(self._index.vectors, JOINT, "cosine", ids),
        ]

    def _captions(self, text: str, tokens: list[str]) -> ClausePlan:
        """Plan a search by captions and vectors; a caption that is the words comes first."""
        plan = self._likely(text, tokens)
        bleu, *others = plan.pipeline.scorers
        scorers = [bleu, VerbatimScorer(self._index.captions, self._store), *others]
        fusion = VerbatimFusion(plan.pipeline.fusion)
        return replace(plan, pipeline=replace(plan.pipeline, scorers=scorers, fusion=fusion))

    def _likely(self, text: str, tokens: list[str]) -> ClausePlan:
        """Plan a search by captions and vectors, by how likely each picture is meant."""
        model = self._model if self._usable() else None
        synonyms = self._model.embedder.synonyms if self._model and self._model.embedder else no_synonyms
        unsaid = unsaid_words(text, self._index.captions, synonyms)
        embedding = model.embedder.embed(tokens) if model and model.embedder else None
        clause = Clause(WORDS, [text], [tokens], {} if embedding is None else {JOINT: embedding})
        if model is None or model.embedder is None or embedding is None:
            return ClausePlan(clause, self._by_captions(0.0 if model is None else CLOSE), unsaid)
        weights = model.calibration.words
        reranker = reranker_of(model, tokens, Relevance.from_json(weights), self._store, self._index.vectors)
        prior = term_prior(tokens, self._index.captions, len(self._index))
        prior += strictness(text, unsaid, model)
        fusion = WordFusion(self._index, weights, reranker, prior, model.embedder.known_share(tokens))
        retrievers: list[Stage] = [self._bleu(), VectorRetriever(self._index.vectors, JOINT, "cosine", self._allowed)]
        scorers: list[Stage] = [
            BleuScorer(self._index.captions, TYPED_VARIANT),
            self._cosine(JOINT, "cosine"),
            *([] if reranker is None else [reranker]),
        ]
        return ClausePlan(clause, Pipeline(retrievers, scorers, fusion, CLOSE), unsaid)

    def picture(self, name: str, image: QueryImage, by: str | None = None) -> ClausePlan:
        """Plan a search by a picture, by the kind of vectors `by` where it is given. Raises QueryError."""
        described = image.description
        captions = [caption.text for caption in described.captions]
        sentences = [tokenize(text) for text in captions]
        clause = Clause(name, captions, sentences, described.vectors, image.weight)
        if by is not None:
            return ClausePlan(clause, self._by_kind(by))
        if self._index.degraded and not self._index.models:
            return ClausePlan(clause, self._by_captions(0.0, CAPTION_VARIANT))
        calibration = self._model.calibration if self._model else Calibration()
        nearest = VectorRetriever(self._index.vectors, self._encoder, "cosine", self._allowed)
        counts = NEIGHBOURS in calibration.picture
        kinds = counts and ALIKE in self._index.models and ALIKE in described.vectors
        kin = VectorRetriever(self._index.vectors, ALIKE, ALIKE, self._allowed) if kinds else nearest
        neighbours = NeighbourScorer(self._index.vectors, ALIKE if kinds else self._encoder, kin) if counts else None
        retrievers: list[Stage] = [
            BleuRetriever(self._index.captions, CAPTION_VARIANT, self._pictures, self._allowed),
            nearest,
            *([kin] if kinds else []),
        ]
        scorers: list[Stage] = [
            BleuScorer(self._index.captions, CAPTION_VARIANT),
            self._cosine(self._encoder, "cosine"),
            *([self._cosine(ALIKE, ALIKE)] if kinds else []),
            *([] if neighbours is None else [neighbours]),
            self._cosine(JOINT, "embedding"),
        ]
        fusion = PictureFusion(calibration.picture, neighbours)
        return ClausePlan(clause, Pipeline(retrievers, scorers, fusion, calibration.picture_close))

    def film(self, name: str, film: QueryFilm, by: str | None = None) -> ClausePlan:
        """Plan a search by a film, see `retrieval.search.films`; `by` as in `picture`."""
        plans = [self.picture(name, QueryImage(frame), by) for frame in film.frames]
        said = dict.fromkeys(plan.clause.captions[0] for plan in plans if plan.clause.captions)
        stages = FilmStages(plans, self._index.frames, self._allowed)
        close = plans[0].pipeline.close
        pipeline = Pipeline([stages.retrieve], [stages.score], stages.fusion, close, stages.cosine)
        return ClausePlan(Clause(name, list(said)[:MOST_SAID], weight=film.weight), pipeline)

    def like(self, name: str, image: QueryImage | QueryFilm, by: str | None = None) -> ClausePlan:
        """Plan a search by a picture or a film."""
        return self.film(name, image, by) if isinstance(image, QueryFilm) else self.picture(name, image, by)

    def opposite(self, name: str, image: QueryImage, by: str | None = None) -> ClausePlan:
        """Plan a search for what looks least like a picture, by the encoder's vectors or those of the kind `by`."""
        kind = by or self._encoder
        away = {kind: -image.description.vectors[kind]}
        retriever = VectorRetriever(self._index.vectors, kind, UNLIKENESS, self._allowed)
        clause = Clause(name, vectors=away, weight=image.weight)
        scorers: list[Stage] = [self._cosine(kind, UNLIKENESS)]
        return ClausePlan(clause, Pipeline([retriever], scorers, UnlikenessFusion(), tie_break=UNLIKENESS))

    def _by_captions(self, close: float, variant: BleuVariant = TYPED_VARIANT) -> Pipeline:
        scorers: list[Stage] = [BleuScorer(self._index.captions, variant), self._cosine(JOINT, "cosine")]
        return Pipeline([self._bleu(variant)], scorers, BleuFusion(), close)

    def _by_kind(self, kind: str) -> Pipeline:
        retriever = VectorRetriever(self._index.vectors, kind, kind, self._allowed)
        return Pipeline([retriever], [self._cosine(kind, kind)], CosineFusion(kind), tie_break=kind)

    def _bleu(self, variant: BleuVariant = TYPED_VARIANT) -> BleuRetriever:
        return BleuRetriever(self._index.captions, variant, self._pictures, self._allowed)

    def _cosine(self, kind: str, name: str) -> CosineScorer:
        return CosineScorer(self._index.vectors, kind, name)

    def _usable(self) -> bool:
        """Whether the model made the vectors that its words are compared with."""
        model = self._model
        if model is None or model.embedder is None or not model.calibration.words:
            return False
        return model.version in self._index.models.values()

    @property
    def _encoder(self) -> str:
        return self._model.encoder if self._model else DEFAULT_ENCODER


def _query_words(text: str) -> list[str]:
    words = tokenize(text)
    if not words:
        raise QueryError("the query has no words; say what the picture shows, such as: a dog on a beach")
    if len(words) > MAX_WORDS:
        raise QueryError(f"the query has {len(words):,} words; give {MAX_WORDS:,} at most")
    return words
