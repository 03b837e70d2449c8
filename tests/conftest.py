"""A tiny captioner and a few pictures that tests of every folder share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Some tests fork while another thread speaks to Milvus, and gRPC's own handlers of forks end one child in twenty.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bench import milvus_server as milvus
from bench.deployment.postgresql import Server, programs, running_server
from captioner.bundle import Bundle, SearchConfig, save_bundle
from captioner.calibration import Calibration
from captioner.decoder import DecoderConfig
from captioner.embedding import Embedding, EmbeddingConfig
from captioner.encoders.pooling import Pooling
from captioner.encoders.vgg16 import BLOCKS, CONVOLUTIONS, VGG16Config
from captioner.vocabulary import Vocabulary
from retrieval.vectors.milvus_client import MilvusConnection, read_address
from tests.postgres import EmptyStore

WORDS = ("a", "dog", "cat", "boat", "red", "green", "runs", "sits", "on", "grass", "water", "the")
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200), "grey": (120, 120, 120)}


def random_decoder(config: DecoderConfig, seed: int = 0, spread: float = 0.6) -> dict[str, np.ndarray]:
    """Weights with enough spread that captions differ between pictures."""
    random = np.random.default_rng(seed)
    return {name: random.normal(0, spread, shape).astype(np.float32) for name, shape in config.shapes().items()}


def random_vgg16(seed: int = 0) -> dict[str, np.ndarray]:
    """He-initialised VGG16 kernels and small biases, named as Keras names them."""
    random = np.random.default_rng(seed)
    weights, before = {}, 3
    for block, (convolutions, channels) in enumerate(BLOCKS, 1):
        for conv in range(1, convolutions + 1):
            kernel = random.standard_normal((3, 3, before, channels), np.float32)
            weights[f"block{block}_conv{conv}/kernel"] = kernel * np.float32((2 / (9 * before)) ** 0.5)
            weights[f"block{block}_conv{conv}/bias"] = random.normal(0, 0.01, channels).astype(np.float32)
            before = channels
    return weights


def random_embedding(vocabulary: Vocabulary, seed: int = 0) -> Embedding:
    """Two pairs of tiny encoders that read `vocabulary`."""
    config = EmbeddingConfig(len(vocabulary), channels=512, members=2, word=6, units=8, heads=2, dimensions=5)
    random = np.random.default_rng(seed)
    shapes = {**config.picture_shapes(), **config.text_shapes()}
    names = {f"{member}/{name}": shape for member in range(2) for name, shape in shapes.items()}
    weights = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in names.items()}
    sentences, synonyms = random.normal(0, 0.3, (20, 10)).astype(np.float32), np.zeros((len(vocabulary), 3), np.uint16)
    return Embedding(config, weights, vocabulary, sentences, synonyms)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle folder: VGG16 on 32-pixel pictures with random weights and a decoder of 16 units."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    vocabulary = Vocabulary(WORDS)
    encoder = VGG16Config(side=32, layer="block5_conv3")
    decoder = DecoderConfig(len(vocabulary), encoder.channels, embedding=12, units=16, attention=8, max_words=6)
    search = SearchConfig(beam=3)
    weights = random_decoder(decoder)
    shared = random_embedding(vocabulary)
    words = {"bias": -2.0, "bleu": 4.0, "cosine": 0.5}
    calibration = Calibration(words=words, reranker={"logprob": 0.01, "hubness": -0.1})
    random = np.random.default_rng(0)
    pooling = Pooling(np.zeros(512, np.float32), random.normal(size=(512, 9)).astype(np.float32))
    kinds, mixing = random.normal(size=(2, 9, 3)).astype(np.float32), random.normal(size=(15, 8)).astype(np.float32)
    bundle = Bundle(
        encoder=encoder,
        encoder_weights=random_vgg16(),
        decoder=decoder,
        decoder_weights=weights,
        vocabulary=vocabulary,
        search=search,
        made_by={"test": True},
        embedding=shared,
        calibration=calibration,
        pooling=pooling,
        alike=replace(pooling, kinds=kinds, mixing=mixing),
        activations=dict.fromkeys(CONVOLUTIONS[:-1], 800.0),
        further_decoders=[random_decoder(decoder, seed=1)],
    )
    save_bundle(bundle, folder, lambda _: "# A tiny captioner for tests\n")
    return folder


def hear_ctrl_c() -> None:
    """For `preexec_fn`: a job in the background, as CI may run, starts deaf to SIGINT and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def draw_picture(path: Path, colour: str, size: tuple[int, int] = (120, 80), seed: int = 0) -> Path:
    """Save a photograph-like drawing: a coloured background with shapes that depend on `seed`."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, COLOURS[colour])
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        fill = tuple(int(value) for value in random.integers(0, 255, 3))
        draw.ellipse((x, y, x + random.integers(5, 50), y + random.integers(5, 50)), fill=fill)
    image.save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with twelve different pictures, see `draw_photos`."""
    return draw_photos(tmp_path)


def draw_photos(parent: Path) -> Path:
    """Make a folder with twelve different pictures in three formats, two of them in a sub-folder."""
    folder = parent / "photos"
    (folder / "trip").mkdir(parents=True)
    for number in range(12):
        suffix = (".jpg", ".png", ".webp")[number % 3]
        place = folder / "trip" if number > 9 else folder
        draw_picture(place / f"photo{number}{suffix}", list(COLOURS)[number % 4], seed=number)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    found = programs()
    if found is None or find_spec("psycopg") is None:
        pytest.skip("PostgreSQL or psycopg is not installed: apt-get install postgresql; pip install '.[postgres]'")
    with running_server(found) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_store(postgres: Server) -> EmptyStore:
    """A store in PostgreSQL that is emptied for each test, which takes far less than to make one."""
    return EmptyStore(postgres)


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusConnection]:
    """Milvus in a file."""
    if find_spec("pymilvus") is None or find_spec("milvus_lite") is None:
        pytest.skip("Milvus Lite is not installed: pip install '.[milvus]'")
    connection = MilvusConnection(read_address(str(tmp_path_factory.mktemp("milvus") / "vectors.db")))
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusConnection]:
    """A server of Milvus."""
    if find_spec("pymilvus") is None or not milvus.installed():
        pytest.skip("Milvus is not installed, or has no network of its own here: pip install milvus '.[milvus]'")
    with milvus.running_server(tmp_path_factory.mktemp("milvus")) as address:
        connection = MilvusConnection(read_address(address))
        yield connection
        connection.close()


@pytest.fixture
def postgres_url(postgres_store: EmptyStore) -> str:
    """The address of an empty store in PostgreSQL."""
    postgres_store.empty()
    return postgres_store.address
