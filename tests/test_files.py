"""Saving and loading: what comes back, in every process; errors; files of others and of old."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from pyrsistent import pmap, pvector

import fpipe as fp
from fpipe import nn, ops
from fpipe.codec.archive import pack, unpack
from fpipe.codec.binary import to_bytes
from fpipe.core.code import Ref
from fpipe.core.errors import CodecError, FpipeError
from fpipe.core.tree import map_leaves
from fpipe.core.value import evolve
from fpipe.ops.estimator import Built, Estimator, thaw
from fpipe.testing.examples import fitted, graph, task
from fpipe.testing.forging import contents

DATA = Path(__file__).parent / "codec" / "data"
ROOT = Path(__file__).parent.parent


def child(program, *args, seed="1", **environment):
    own = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, args)], env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "value.fpipe"


# ------------------------------------------------------------------ what comes back


@pytest.mark.parametrize("make", [task, graph, fitted], ids=lambda make: make.__name__)
def test_another_process_loads_the_same(make, path):
    value = make()
    assert fp.save(value, path) is None
    program = (
        "import sys, fpipe as fp\n"
        "found = fp.load(sys.argv[1])\n"
        "fp.save(found, sys.argv[1] + '.again')\n"
        "print(fp.fingerprint(found))"
    )
    for seed in ("2", "77"):
        assert child(program, path, seed=seed) == fp.fingerprint(value)
        assert Path(f"{path}.again").read_bytes() == path.read_bytes()


def test_a_loaded_graph_predicts_the_same(path):
    rows = fp.tasks.iris()
    network = nn.ingress_numeric() >> nn.linear(8) >> nn.batch_norm1d() >> nn.relu() >> nn.head()
    learner = network >> nn.loss("cross_entropy") >> nn.optimizer("adam", lr=1e-2)
    made = fp.fit(ops.scale() >> learner >> nn.model(epochs=2, batch_size=50), rows, key=fp.key(1))
    fp.save(made, path)
    prediction = fp.predict(made, rows)
    assert fp.predict(fp.load(path), rows) == prediction
    fp.save(prediction, path)
    assert fp.load(path) == prediction


def test_a_loaded_estimator_predicts_the_same(path):
    sklearn = pytest.importorskip("sklearn.ensemble")
    rows = fp.tasks.iris()
    made = fp.fit(fp.learners.sklearn(sklearn.RandomForestClassifier), rows, key=fp.key(1))
    fp.save(made, path)
    assert fp.predict(fp.load(path), rows) == fp.predict(made, rows)


def test_results_of_resampling_come_back(path):
    rows = fp.tasks.iris()
    found = fp.resample(fp.learners.featureless(), rows, fp.cv(3), key=fp.key(1))
    fp.save(found, path)
    assert fp.load(path) == found


def test_tables_that_are_computed_later_are_computed(path):
    rows = fp.transform(ops.mutate(z=pl.col("sepal_length") * 2), fp.tasks.iris(), key=fp.key(0))
    fp.save(rows, path)
    assert fp.load(path).table["z"].to_list() == rows.table["z"].to_list()


def test_differences_come_back(path):
    found = fp.diff({"a": torch.ones(2), "b": 1}, {"a": torch.zeros(2)})
    fp.save(found, path)
    assert fp.load(path) == found


def test_a_file_takes_the_place_of_another(path):
    fp.save(1, path)
    fp.save((2,), path)
    assert fp.load(path) == (2,)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_folders_are_made_and_text_is_a_path(tmp_path):
    fp.save(1, f"{tmp_path}/a/b/value.fpipe")
    assert fp.load(f"{tmp_path}/a/b/value.fpipe") == 1


def test_other_tools_can_look_inside(path):
    safetensors = pytest.importorskip("safetensors.torch")
    fp.save({"w": torch.tensor([1.5, 2.5])}, path)
    members = contents(path.read_bytes())
    assert json.loads(members["value.json"]) == {
        "dict": {"w": {"tensor": [0, "torch.float32", [2]]}}
    }
    assert safetensors.load(members["tensors.safetensors"])["0"].tolist() == [1.5, 2.5]


def test_what_is_loaded_shares_no_memory_with_the_file(path):
    fp.save(torch.zeros(3), path)
    one, other = fp.load(path), fp.load(path)
    one.add_(1.0)
    assert other.tolist() == [0.0, 0.0, 0.0]


# ------------------------------------------------------------------ code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the user's own, with a value, an operator's function and a module."""
    folder = tmp_path / "own_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import os\n"
        "import torch\n"
        "from fpipe.core.value import value\n"
        "@value\nclass Mine:\n    weights: torch.Tensor\n    many: int = 3\n"
        "def double(x):\n    return 2 * x\n"
        "class Net(torch.nn.Linear):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__("own_package")
    sys.modules.pop("own_package")


def test_code_of_the_users_own_is_allowed_by_name(package, path):
    value = (nn.fn(package.double) >> nn.module(package.Net, 2, 2), package.Mine(torch.ones(2)))
    fp.save(value, path)
    assert fp.load(path, allow=["own_package"]) == value
    assert fp.load(path, allow="own_package") == value
    with pytest.raises(CodecError) as caught:
        fp.load(path)
    assert "own_package" in caught.value.rule
    assert 'fp.load(path, allow=["own_package"])' in caught.value.fix
    assert caught.value.at == str(path)


def test_modules_of_torch_need_no_allowance(path):
    value = nn.module(torch.nn.Linear, 10, 100) >> nn.fn(torch.nn.functional.relu)
    fp.save(value, path)
    assert fp.load(path) == value


@pytest.mark.parametrize(
    ("make", "at", "fix"),
    [
        (lambda: nn.fn(torch.nn.functional.relu) >> nn.fn(lambda x: x), "fn_2", "module"),
        (lambda: nn.fn(lambda x: x, id="mine"), "mine", "module that can be imported"),
        (lambda: nn.branch(a=nn.relu(), b=nn.fn(lambda x: x)), "branch.b.fn", "module"),
        (lambda: nn.block(fp.wrap(nn.fn(lambda x: x), id="w"), 2), "block.w.fn", "module"),
        (
            lambda: nn.linear(2) >> nn.module(torch.nn.Linear(10, 100)),
            "module",
            "nn.module(torch.nn.Linear, 10, 100)",
        ),
    ],
)
def test_code_without_a_name_is_refused_at_its_node(make, at, fix, path):
    with pytest.raises(CodecError) as caught:
        fp.save({"mine": make()}, path)
    assert caught.value.at == at
    assert fix in caught.value.fix
    assert caught.value.expected
    assert not path.exists()


def test_fitted_code_without_a_name_is_refused_at_its_node(path):
    rows = fp.regression({"x": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
    made = fp.fit(ops.transform_target(lambda y: y, lambda y: y, id="t"), rows, key=fp.key(0))
    with pytest.raises(CodecError) as caught:
        fp.save(made, path)
    assert caught.value.at == "t"


def test_expressions_that_hold_code_are_refused_when_saved(path):
    made = ops.mutate(z=pl.col("x").name.map(str.upper))
    with pytest.raises(CodecError):
        fp.save(made, path)


@pytest.mark.parametrize(
    "expression",
    [
        {"AnonymousFunction": {"input": [{"Column": "x"}], "function": [128, 4, 46]}},
        {"RenameAlias": {"expr": {"Column": "x"}, "function": {"Map": [1, 11, 7, 128, 4]}}},
        {"Function": {"input": [], "function": {"FfiPlugin": {"lib": "/tmp/x.so", "symbol": "f"}}}},
        {"SubPlan": [{"Scan": {}}, []]},
        {"Literal": {"Object": list(range(99))}},
        {"Literal": {"Series": list(range(99))}},
    ],
    ids=lambda e: next(iter(e)),
)
def test_expressions_that_hold_code_are_refused_when_read(expression, path):
    text = json.dumps(expression, separators=(",", ":"))
    document = json.dumps({"ops.Formula": {"json": text}}).encode()
    path.write_bytes(pack({"value.json": document}, 1))
    with pytest.raises(CodecError):
        fp.load(path)


def test_estimators_are_rebuilt_by_classes_only(path):
    document = {
        "ops.Built": {
            "code": {"core.Ref": {"path": "torch.nn.functional:relu"}},
            "args": [1],
            "state": None,
            "members": [],
        }
    }
    path.write_bytes(pack({"value.json": json.dumps(document).encode()}, 1))
    with pytest.raises(CodecError, match="no class"):
        fp.load(path)


RIDGE = "sklearn.linear_model:Ridge"


def forged_learner(content):
    """A fitted learner with something else in the place of its estimator."""
    task = fp.regression({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.5]}, "y")
    fitted = fp.fit(fp.learners.sklearn(RIDGE), task, key=fp.key(1))
    return evolve(fitted, states=fitted.states.set("sklearn", Estimator(content, ("x",)))), task


def hidden_call(path):
    """Code that is looked up when the estimator is rebuilt, behind a method that holds it."""
    inner = Built(
        Ref("fpipe.ops.estimator:Built"),
        (Built(Ref("fpipe.core.code:Ref"), ("os:system",)), (f"echo ran > {path}",)),
    )
    state = pmap({"update": Ref("fpipe.ops.estimator:thaw")})
    return Built(Ref("sklearn.base:BaseEstimator"), (), state, (("k", inner),))


def opened_file(path):
    return Built(Ref("scipy.io._netcdf:netcdf_file"), (str(path), "w"))


def exported_tree(path):
    state = pmap({"func": Ref("sklearn.tree._export:export_graphviz"), "kw_args": str(path)})
    return Built(Ref("sklearn.preprocessing:FunctionTransformer"), (), state)


@pytest.mark.parametrize("forge", [hidden_call, opened_file, exported_tree])
def test_forged_estimators_run_nothing(forge, path, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    fitted, task = forged_learner(forge(victim))
    path.write_bytes(to_bytes(fitted))
    with pytest.raises(FpipeError):
        fp.predict(fp.load(path), task)
    assert victim.read_text() == "precious"


@pytest.mark.filterwarnings("ignore:Trying to unpickle")
def test_members_are_put_in_by_the_class_alone(tmp_path):
    """Without a file, too: what an object holds under the name of a method is not called."""
    with pytest.raises(FpipeError):
        thaw(hidden_call(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


def test_trees_that_lead_out_of_themselves_are_refused(path):
    rows = fp.tasks.iris()
    tree = fp.fit(fp.learners.sklearn("sklearn.tree:DecisionTreeClassifier"), rows, key=fp.key(1))

    def wrong(leaf):
        if isinstance(leaf, np.ndarray) and "left_child" in (leaf.dtype.names or ()):
            leaf = leaf.copy()
            leaf["left_child"][0] = 10**9
        return leaf

    path.write_bytes(to_bytes(map_leaves(wrong, tree)))
    with pytest.raises(CodecError, match="leads out of it"):
        fp.load(path)


def test_what_cannot_be_applied_is_refused(path):
    bad = fitted()
    model = bad.state("model")
    path.write_bytes(to_bytes(evolve(bad, states=bad.states.set("model", evolve(model, batch=0)))))
    with pytest.raises(CodecError, match="does not hold together"):
        fp.load(path)


def test_references_are_checked_where_they_lead(path):
    fp.save(Ref("torch.nn:functional.torch.hub.load"), path)
    with pytest.raises(CodecError, match="not allowed"):
        fp.load(path)


# ------------------------------------------------------------------ errors


def test_errors_of_reading(tmp_path, refused):
    fp.save(1, tmp_path / "model.fpipe")
    good = (tmp_path / "model.fpipe").read_bytes()
    _, members = unpack(good)
    (tmp_path / "text.fpipe").write_text("hello")
    (tmp_path / "cut.fpipe").write_bytes(good[:-1])
    (tmp_path / "bit.fpipe").write_bytes(good.replace(b"value", b"valuf", 1))
    (tmp_path / "new.fpipe").write_bytes(pack(members, 7))
    (tmp_path / "type.fpipe").write_bytes(pack({"value.json": b'{"data.Tusk":{}}'}, 1))
    cases = [
        ("modle.fpipe", "there is no file", "model.fpipe"),
        ("text.fpipe", "no file of fpipe", "fp.save"),
        ("cut.fpipe", "no file of fpipe", "copy it again"),
        ("bit.fpipe", "damaged", "another copy"),
        ("new.fpipe", "version 7", "update fpipe"),
        ("type.fpipe", "'data.Tusk'", "data.Task"),
        ("", "cannot be read", "path of a file"),
    ]
    for name, rule, fix in cases:
        place = tmp_path / name
        refused(lambda place=place: fp.load(place), CodecError, rule, str(place), fix)


def test_errors_of_writing(tmp_path, refused):
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "a.fpipe"
    refused(
        lambda: fp.save(1, inside), CodecError, "cannot be written", str(inside), "path of a file"
    )
    refused(lambda: fp.save(1, tmp_path), CodecError, "cannot be written", str(tmp_path), "path")


def test_a_failure_leaves_the_old_file(path):
    fp.save(1, path)
    with pytest.raises(CodecError):
        fp.save((1, object()), path)
    assert fp.load(path) == 1


# ------------------------------------------------------------------ files of old

FORMAT_1 = DATA / "format_1.fpipe"


def kept():
    """What the committed file holds: it was saved once, by version 1 of the format."""
    frame = {"x": [0.0, -0.0, None], "c": ["a", "b", None], "y": ["no", "yes", "no"]}
    rows = fp.classification(frame, "y", name="kept")
    return pmap(
        {
            "task": rows.take([0, 1]).with_valid(rows.take([2])),
            "graph": nn.linear(3) >> nn.branch(a=nn.relu(), b=nn.dropout(0.5)) >> nn.head(),
            "tensors": (torch.tensor([-0.0, float("nan")]), torch.ones(2, dtype=torch.bfloat16)),
            "array": np.array([(1, 2.0)], [("a", "<i2"), ("b", "<f8")]),
            "numbers": [10**30, float("-inf"), True, None, 1 + 2j],
            "vector": pvector([fp.key(7).fold_in("fit"), Ref("torch.nn:ReLU")]),
        }
    )


def test_a_file_of_version_1_opens():
    assert fp.same(fp.load(FORMAT_1), kept()), fp.diff(fp.load(FORMAT_1), kept())


def test_a_file_of_version_0_opens(path):
    """The same document as version 0 would have called it."""
    _, members = unpack(FORMAT_1.read_bytes())
    old = members | {"value.json": members["value.json"].replace(b'{"pmap":', b'{"map":')}
    path.write_bytes(pack(old, 0))
    assert fp.same(fp.load(path), kept())


# ------------------------------------------------------------------ size and damage


def big():
    rng, rows = np.random.default_rng(0), 1_000_000
    columns = {f"x{i}": rng.normal(size=rows) for i in range(11)}
    levels = pl.Series("c", rng.integers(0, 3, rows)).cast(pl.String).cast(pl.Enum(["0", "1", "2"]))
    return fp.regression(pl.DataFrame({**columns, "c": levels, "y": rng.normal(size=rows)}), "y")


def test_a_large_task_takes_seconds(path):
    value = big()
    start = time.process_time()
    fp.save(value, path)
    assert path.stat().st_size > 100_000_000
    found = fp.load(path)
    assert time.process_time() - start < 15
    assert found == value


def test_threads_may_load_and_save(tmp_path):
    value, wrong = graph(), []

    def work(i):
        place = tmp_path / f"{i}.fpipe"
        for _ in range(5):
            fp.save(value, place)
            if fp.load(place) != value:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FUZZ = """
import random, resource, sys
import fpipe as fp
from fpipe.catalogue import catalogue
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.testing.examples import fitted, graph, task
from fpipe.testing.forging import damaged, forged
from fpipe.testing.laws.files import assert_usable

rows = fp.tasks.iris()
made = fitted()
small = fp.regression({"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 2.0, 1.0, 3.0]}, "y")
fp.predict(made, small)
state = made.state("model").state
kept = [task(), graph(), made, state, rows.take(range(0, 150, 10))]
kept.append(fp.fit(fp.learners.sklearn("sklearn.tree:DecisionTreeClassifier"), rows, key=fp.key(1)))
kept.append(fp.resample(fp.learners.featureless(), rows, fp.cv(2), key=fp.key(1)))
files = [to_bytes(value) for value in kept]
for data in files:
    assert_usable(from_bytes(data, catalogue()))

def watch(event, args):
    effects = ("os.system", "subprocess.", "socket.", "pickle.", "os.exec", "os.fork", "os.spawn",
               "os.remove", "os.rename", "os.rmdir", "os.mkdir", "shutil.", "ctypes.", "webbrowser.")
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event.startswith(effects) or writes:
        print("RAN", event, args)

sys.addaudithook(watch)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
counts = {"refused": 0, "read": 0}
for seed in range(int(sys.argv[1])):
    draw = random.Random(seed)
    data = draw.choice(files)
    try:
        found = from_bytes((damaged, forged)[seed % 2](data, draw), catalogue())
    except fp.FpipeError:
        counts["refused"] += 1
        continue
    if seed % 2 == 0:
        print("UNSEEN", seed)
    counts["read"] += 1
    try:
        assert_usable(found)
        if isinstance(found, fp.Fitted) and any(one.op.name == "model" for one in found.graph.nodes):
            try:
                fp.predict(found, small)
            except fp.FpipeError:
                pass
    except BaseException as error:
        print("UNUSABLE", seed, repr(error)[:300])
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(counts["refused"], counts["read"], grown)
"""


def test_mutated_files_are_refused_or_sound():
    """Half of the mutations are made under a digest that is right, so that they reach the parser.

    They run in a process of their own, where nothing else is audited; FPIPE_FUZZ asks for more.
    """
    count = int(os.environ.get("FPIPE_FUZZ", "2000"))
    said = child(FUZZ, count).splitlines()
    assert said[:-1] == []
    refused, read, grown = map(int, said[-1].split())
    assert refused + read == count
    assert refused >= count // 2
    assert read > 0
    assert grown <= 300


def test_memory_of_reading_is_near_the_size_of_the_file(path):
    program = (
        "import resource, sys, fpipe as fp\n"
        "fp.save(1, sys.argv[1] + '.small'); fp.load(sys.argv[1] + '.small')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = fp.load(sys.argv[1])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    fp.save({"w": torch.zeros(10**7), "t": pl.DataFrame({"x": np.zeros(5 * 10**6)})}, path)
    assert int(child(program, path)) < 5 * path.stat().st_size
