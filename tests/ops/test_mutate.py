"""mutate, colapply and rename: numbers by hand and by NumPy, laziness, and what is refused."""

from __future__ import annotations

import datetime
import json

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import CodecError, DataError, FpipeError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph
from fpipe.ops.formula import Formula, as_formula, as_recipe, on_column
from fpipe.soundness import CHECKS

KEY = fp.key(3)
RNG = np.random.default_rng(3)
N = 60
A, B = RNG.normal(size=N), RNG.integers(1, 9, N)
HOLES = [None if i % 7 == 0 else float(v) for i, v in enumerate(RNG.normal(size=N))]
TASK = fp.regression(
    {
        "a": A,
        "b": B,
        "holes": HOLES,
        "level": RNG.choice(["u", "v"], N),
        "flag": RNG.random(N) > 0.5,
        "when": [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(N)],
        "constant": [4.0] * N,
        "y": RNG.normal(size=N),
        "g": RNG.integers(0, 9, N),
    },
    "y",
    group="g",
)
FEATURES = TASK.features


def root(x: pl.Expr) -> pl.Expr:
    """An importable function of a column."""
    return x.abs().sqrt()


def through_numpy(x: pl.Expr) -> pl.Expr:
    """One that calls Python code for the rows."""
    return x.map_batches(np.cbrt, return_dtype=pl.Float64)


# mutate


def test_mutate_numbers():
    """New columns come after the features; a present one keeps its place; all read what enters."""
    graph = ops.mutate(ratio=pl.col("a") / pl.col("b"), a=pl.col("a") ** 2, one=1)
    fitted, out = fp.run(graph, TASK, key=KEY)
    np.testing.assert_allclose(out.column("ratio"), A / B, rtol=1e-15)
    np.testing.assert_allclose(out.column("a"), A**2, rtol=1e-15)
    assert out.column("one").to_list() == [1] * N
    assert out.features == (*FEATURES, "ratio", "one")
    later = fp.apply(fitted, TASK.table.head(5).drop("y"))
    np.testing.assert_allclose(later.column("ratio"), (A / B)[:5], rtol=1e-15)


def test_mutate_is_lazy():
    """What leaves a chain of mutates is one plan, computed when it is read."""
    fitted = fp.fit(ops.mutate(c=pl.col("a") + 1) >> ops.mutate(d=pl.col("c") * 2), TASK, key=KEY)
    out = fp.apply(fitted, TASK)
    assert out._pending() is not None
    assert out.schema["d"] == pl.Float64
    assert out._pending() is not None
    np.testing.assert_allclose(out.column("d"), (A + 1) * 2, rtol=1e-15)
    assert out._pending() is None


def test_mutate_drop():
    """With drop only the features that are named stay."""
    out = fp.transform(ops.mutate(b=pl.col("b") + 1, c=pl.col("a"), drop=True), TASK, key=KEY)
    assert out.features == ("b", "c")
    assert out.target == "y"
    assert out.role("group") is not None


def test_mutate_of_missing_values():
    """Missing stays missing, and what is no number is missing."""
    graph = ops.mutate(log=pl.col("holes").log(), zero=pl.lit(0.0) / (pl.col("b") * 0))
    out = fp.transform(graph, TASK, key=KEY)
    raw = np.array(HOLES, float)
    with np.errstate(invalid="ignore"):
        expected = np.log(raw)
    assert out.column("log").is_null().to_list() == np.isnan(expected).tolist()
    np.testing.assert_allclose(
        out.column("log").drop_nulls(), expected[~np.isnan(expected)], rtol=1e-15
    )
    assert out.column("zero").null_count() == N


def test_mutate_names_of_any_kind():
    """Names that Python cannot spell come in a mapping."""
    out = fp.transform(ops.mutate({"a / b": pl.col("a") / pl.col("b")}), TASK, key=KEY)
    np.testing.assert_allclose(out.column("a / b"), A / B, rtol=1e-15)


def test_mutate_types():
    """Decimals and nulls are floats, levels, dates and truth values stay."""
    graph = ops.mutate(
        size=pl.when(pl.col("a") > 0)
        .then(pl.lit("big"))
        .otherwise(pl.lit("small"))
        .cast(pl.Enum(["small", "big"])),
        positive=pl.col("a") > 0,
        month=pl.col("when").dt.month(),
        later=pl.col("when").dt.offset_by("1d"),
        none=pl.lit(None),
        is_u=pl.col("level") == "u",
    )
    (inferred,), _ = infer_graph(graph, (TASK.outline(),), key=Key(0), context=Context())
    out = fp.transform(graph, TASK, key=KEY)
    assert {n: out.dtype(n) for n in out.features} == {n: inferred.dtype(n) for n in out.features}
    assert inferred.roles == out.roles
    assert out.column("size").to_list() == ["big" if x > 0 else "small" for x in A]
    assert out.dtype("none") == pl.Float64


def test_mutate_parameters():
    """An expression is a parameter under the name of its feature, and equal ones are equal."""
    graph = ops.mutate(c=pl.col("a") + 1)
    assert graph.params() == {"mutate.c": as_formula(pl.col("a") + 1), "mutate.drop": False}
    other = graph.set({"mutate.c": pl.col("a") * 3, "mutate.drop": True})
    assert other == ops.mutate(c=pl.col("a") * 3, drop=True)
    assert fp.transform(other, TASK, key=KEY).features == ("c",)
    assert fp.fingerprint(graph) == fp.fingerprint(ops.mutate(c=pl.col("a") + 1))
    assert graph != ops.mutate(c=pl.col("a") + 2)


def test_mutate_with_python_code():
    """An expression that calls Python runs, and equals only itself."""
    expression = pl.col("a").map_elements(lambda x: float(str(x)) * 2, return_dtype=pl.Float64)
    graph = ops.mutate(c=expression)
    np.testing.assert_allclose(fp.transform(graph, TASK, key=KEY).column("c"), A * 2)
    assert isinstance(graph.at("mutate.c"), Opaque)


def shout(name):
    return f"{name}!"


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("a").map_batches(np.cbrt),
        pl.col("a").name.map(shout),
        pl.struct(pl.col("a").name.map(lambda name: name + "?")).struct.field("a?"),
        pl.struct("a", "b").name.map_fields(shout).struct.field("a!"),
        pl.col("a").rolling_map(lambda x: x.sum(), 1),
        pl.fold(pl.lit(0.0), lambda left, right: left + right, [pl.col("a"), pl.col("b")]),
        pl.when(pl.col("a") > 0).then(pl.col("b").name.map(shout)).otherwise(1.0).alias("Map"),
    ],
    ids=["rows", "names", "names inside", "fields", "windows", "folds", "in a branch"],
)
def test_python_code_in_any_place_is_kept_as_code(expression, tmp_path):
    """Polars pickles functions in many places; none of them gets into a file."""
    made = as_formula(expression)
    assert isinstance(made, Opaque)
    with pytest.raises(CodecError, match="cannot be saved") as caught:
        fp.save(ops.mutate(c=expression), tmp_path / "graph.fpipe")
    assert caught.value.expected
    assert caught.value.fix
    # Written by hand as if it were none, it is refused before polars reads it.
    text = expression.meta.serialize(format="json")
    with pytest.raises(CodecError, match="calls code") as caught:
        CHECKS[Formula](Formula(json.dumps(json.loads(text), separators=(",", ":"))))
    assert caught.value.got
    assert caught.value.fix


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("a").is_in(list(range(40))),
        pl.col("level").is_in([f"l{i}" for i in range(40)]),
        pl.col("a") + pl.lit(pl.Series(range(40))),
        pl.lit(b"0123456789"),
        pl.col("a").is_in([float(i) for i in range(20)]),
        pl.col("a").name.prefix("Map").name.to_uppercase(),
        pl.col("level").replace_strict({f"l{i}": i for i in range(40)}, default=0),
        pl.col("Map").alias("Python"),
        pl.lit("Anonymous") + pl.col("level"),
    ],
    ids=str,
)
def test_constants_and_names_are_no_code(expression):
    """Long constants and odd names stay plain expressions, which can be saved."""
    made = as_formula(expression)
    assert isinstance(made, Formula)
    CHECKS[Formula](made)
    assert made.resolve().meta.eq(expression)


def test_names_mapped_by_python_run():
    """The function names what is in between; the column that is made has its own name."""
    inner = pl.struct(pl.col("a").name.map(shout)).struct.field("a!") * 2.0
    out = fp.transform(ops.mutate(c=inner), TASK, key=KEY)
    np.testing.assert_allclose(out.column("c"), A * 2.0)
    recipe = as_recipe(lambda x: x.name.map(shout))
    assert isinstance(recipe, Opaque)
    assert pl.DataFrame({"q": [1]}).select(on_column(recipe, "q")).columns == ["q!"]


def test_mutate_on_features_only_data_can_tell():
    """Over features that are not known before data is read, types stay open."""
    graph = ops.select(ops.numeric()) >> ops.impute_median() >> ops.pca()
    found = fp.check(graph >> ops.mutate(sum=pl.col("PC1") + pl.col("PC2")), TASK)
    assert "or more" in found.rows[-1].gives


MIXING = {
    "mean": pl.col("a").mean(),
    "centered": pl.col("a") - pl.col("a").mean(),
    "shift": pl.col("a").shift(1),
    "rank": pl.col("a").rank(),
    "cum_sum": pl.col("a").cum_sum(),
    "first": pl.col("b").first(),
    "max": pl.col("a").max(),
    "over": pl.col("a").mean().over("level"),
    "forward": pl.col("holes").fill_null(strategy="forward"),
    "mean fill": pl.col("holes").fill_null(pl.col("holes").mean()),
    "len": pl.len() + pl.col("b"),
    "len alone": pl.len(),
    "row number": pl.int_range(pl.len()),
    "row index": pl.row_index(),
    "reverse": pl.col("a").reverse(),
    "rolling": pl.col("a").rolling_mean(3),
    "diff": pl.col("when").diff().dt.total_days(),
    "n_unique": pl.col("level").n_unique(),
}


@pytest.mark.parametrize("name", MIXING)
def test_mutate_refuses_other_rows(name):
    """What would change with the rows beside it is refused at fit."""
    with pytest.raises(DataError, match="'c' of a row depends on the other rows") as caught:
        fp.fit(ops.mutate(c=MIXING[name]), TASK, key=KEY)
    assert caught.value.at == "mutate"
    assert "row by row" in caught.value.expected
    assert "beside others" in caught.value.got
    assert "ops.scale" in caught.value.fix


@pytest.mark.parametrize("name", ["len alone", "len"])
def test_mutate_refuses_other_rows_even_for_one(name):
    """One row counts itself; it is refused all the same."""
    with pytest.raises(DataError, match="depends on the other rows"):
        fp.fit(ops.mutate(c=MIXING[name]), TASK.take([4]), key=KEY)


def test_mutate_refuses_row_numbers_without_features():
    """Where nothing is read and nothing is there to read, rows are still apart."""
    bare = TASK.select(())
    with pytest.raises(DataError, match="depends on the other rows"):
        fp.fit(ops.mutate(c=MIXING["row number"]), bare, key=KEY)
    assert fp.transform(ops.mutate(c=2), bare, key=KEY).column("c").to_list() == [2] * N


LENGTHS = {
    "drop_nulls": pl.col("holes").drop_nulls(),
    "head": pl.col("a").head(1),
    "filter": pl.col("a").filter(pl.col("a") > 0),
    "explode": pl.col("b").repeat_by(2).explode(),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_mutate_refuses_other_lengths(name):
    """What gives more or fewer values than rows is refused at fit."""
    with pytest.raises(DataError, match="has not one value per row") as caught:
        fp.fit(ops.mutate(c=LENGTHS[name]), TASK, key=KEY)
    assert caught.value.at == "mutate"
    assert "rows" in caught.value.expected
    assert "task.filter" in caught.value.fix


ROWWISE = {
    "constant": pl.lit(2.5) + pl.col("b"),
    "clip": pl.col("a").clip(-1, 1),
    "list": pl.sum_horizontal("a", "b"),
    "fill": pl.col("holes").fill_null(0.0),
    "modulo": pl.col("b") % 3,
}


@pytest.mark.parametrize("name", ROWWISE)
def test_mutate_takes_rowwise(name):
    """Expressions of one row pass, with one row and with many."""
    graph = ops.mutate(c=ROWWISE[name])
    fitted, out = fp.run(graph, TASK, key=KEY)
    assert fp.apply(fitted, TASK.take([5])).column("c")[0] == out.column("c")[5]


# colapply


def test_colapply_numbers():
    """The function is applied to every number, in place."""
    out = fp.transform(ops.colapply(lambda x: x.abs().log1p()), TASK, key=KEY)
    np.testing.assert_allclose(out.column("a"), np.log1p(np.abs(A)), rtol=1e-14)
    np.testing.assert_allclose(out.column("b"), np.log1p(B), rtol=1e-14)
    assert out.features == FEATURES
    assert out.column("level").equals(TASK.column("level"))


def test_colapply_new_names():
    """With ``becomes`` the results stand beside the features."""
    graph = ops.colapply(lambda x: x**2, columns=["b", "a"], becomes="{} squared")
    out = fp.transform(graph, TASK, key=KEY)
    assert out.features == (*FEATURES, "a squared", "b squared")
    np.testing.assert_allclose(out.column("a squared"), A**2, rtol=1e-15)
    assert out.column("a").equals(TASK.column("a"))


def test_colapply_other_types():
    """Columns of any type can be chosen; what leaves is typed by the expression."""
    graph = ops.colapply(lambda x: x.dt.year(), columns="when")
    (inferred,), _ = infer_graph(graph, (TASK.outline(),), key=Key(0), context=Context())
    out = fp.transform(graph, TASK, key=KEY)
    assert out.column("when").to_list() == [2024] * N
    assert inferred.dtype("when") == out.dtype("when") == pl.Int32


@pytest.mark.parametrize(
    "function",
    [lambda x: x.abs().sqrt(), root, pl.element().abs().sqrt()],
    ids=["lambda", "function", "expression"],
)
def test_colapply_forms(function):
    """A lambda, a function and an expression over pl.element() are one and the same value."""
    graph = ops.colapply(function)
    assert isinstance(graph.at("colapply.function"), Formula)
    assert graph == ops.colapply(lambda y: y.abs().sqrt())
    np.testing.assert_allclose(
        fp.transform(graph, TASK, key=KEY).column("a"), np.sqrt(np.abs(A)), rtol=1e-15
    )


def test_colapply_by_reference():
    """A function can be named by where it is imported from."""
    graph = ops.colapply("operator:neg")
    assert graph.at("colapply.function") == Ref("operator:neg")
    np.testing.assert_allclose(fp.transform(graph, TASK, key=KEY).column("a"), -A)


def test_colapply_with_python_code():
    """A function that calls Python for the rows is kept as code."""
    out = fp.transform(ops.colapply(through_numpy, columns="a"), TASK, key=KEY)
    np.testing.assert_allclose(out.column("a"), np.cbrt(A))
    assert isinstance(as_recipe(lambda x: through_numpy(x)), Opaque)


def test_recipes_only_replace_the_column():
    """Names and texts that look like the column's place are left alone."""
    recipe = as_recipe(
        lambda x: (
            pl.when(x > 1).then(pl.lit("Element")).otherwise(pl.lit("Column")).alias("Element")
        )
    )
    frame = pl.DataFrame({"q": [0, 2]}).select(on_column(recipe, "q"))
    assert frame.to_dict(as_series=False) == {"Element": ["Column", "Element"]}


def test_colapply_refuses_other_rows():
    """Standardising by hand is what ops.scale is for."""
    with pytest.raises(DataError, match="depends on the other rows"):
        fp.fit(ops.colapply(lambda x: x / x.max()), TASK, key=KEY)


# rename


def test_rename():
    """Features get other names and keep values and places, also where two change theirs."""
    fitted, out = fp.run(ops.rename({"a": "b", "b": "a", "flag": "new"}), TASK, key=KEY)
    assert out.features == ("b", "a", "holes", "level", "new", "when", "constant")
    np.testing.assert_array_equal(out.column("b"), A)
    np.testing.assert_array_equal(out.column("a"), B)
    assert out.column("new").equals(TASK.column("flag"), check_names=False)
    assert fp.apply(fitted, TASK) == out
    (inferred,), _ = infer_graph(fitted.graph, (TASK.outline(),), key=Key(0), context=Context())
    assert inferred.roles == out.roles
    assert all(inferred.dtype(n) == out.dtype(n) for n in out.features)


# What is refused


BAD = [
    (
        "no expression",
        lambda: ops.mutate(c="a"),
        ParameterError,
        "str is no polars",
        None,
        "pl.col",
    ),
    ("nothing", lambda: ops.mutate(), ParameterError, "no feature is given", None, "ops.mutate("),
    ("pattern", lambda: ops.mutate(c=pl.all().sum()), ParameterError, "pattern", None, "name them"),
    ("types", lambda: ops.mutate(c=pl.col(pl.Float64).sum()), ParameterError, "pattern", None, ""),
    ("regex", lambda: ops.mutate(c=pl.col("^a.*$")), ParameterError, "pattern", None, ""),
    ("name", lambda: ops.mutate({"^a$": pl.col("a")}), ParameterError, "cannot name", None, ""),
    ("drop", lambda: ops.mutate({"drop": pl.col("a")}), ParameterError, "parameter", None, "drop_"),
    (
        "misspelt",
        lambda: ops.mutate(c=pl.col("hole")),
        SchemaError,
        "no feature",
        "mutate",
        "holes",
    ),
    (
        "the target",
        lambda: ops.mutate(c=pl.col("y")),
        SchemaError,
        "no feature",
        "mutate",
        "use one",
    ),
    ("onto target", lambda: ops.mutate(y=pl.col("a")), SchemaError, "the target", "mutate", "y_2"),
    ("onto group", lambda: ops.mutate(g=pl.col("a")), SchemaError, "the group", "mutate", "g_2"),
    ("types", lambda: ops.mutate(c=pl.col("level") + 1), SchemaError, "computed", "mutate", "try"),
    (
        "text",
        lambda: ops.mutate(c=pl.col("level").cast(pl.String)),
        SchemaError,
        "would be String",
        "mutate",
        "pl.Enum",
    ),
    (
        "list",
        lambda: ops.mutate(c=pl.concat_list("a", "b")),
        SchemaError,
        "List",
        "mutate",
        "array",
    ),
    (
        "no column",
        lambda: ops.colapply(lambda x: pl.lit(1)),
        ParameterError,
        "read",
        None,
        "mutate",
    ),
    ("no expr", lambda: ops.colapply(lambda x: 3), ParameterError, "gives int", None, "log1p"),
    (
        "no such",
        lambda: ops.colapply(lambda x: x.lg()),
        ParameterError,
        "called with",
        None,
        "map_",
    ),
    ("no place", lambda: ops.colapply(pl.col("a")), ParameterError, "goes", None, "element"),
    ("two", lambda: ops.colapply(root, becomes="x"), ParameterError, "becomes", None, "one {}"),
    (
        "roots of levels",
        lambda: ops.colapply(lambda x: x.sqrt(), columns=["level"]),
        SchemaError,
        "'level' cannot be computed",
        "colapply",
        "try",
    ),
    (
        "levels as numbers",
        lambda: ops.mutate(c=pl.col("level").cast(pl.Float64)),
        SchemaError,
        "'c' cannot be computed",
        "mutate",
        "try",
    ),
    (
        "taken",
        lambda: ops.mutate(a2=pl.col("a")) >> ops.colapply(root, columns="a", becomes="{}2"),
        SchemaError,
        "second feature 'a2'",
        "colapply",
        "new {}2",
    ),
    ("import", lambda: ops.colapply("math:nothing"), ParameterError, "imported", "colapply", ""),
    (
        "rename misspelt",
        lambda: ops.rename({"hole": "x"}),
        SchemaError,
        "no feature",
        "rename",
        "s'?",
    ),
    (
        "no name",
        lambda: ops.mutate(pl.col("a") * 2),
        ParameterError,
        "no name",
        None,
        "ops.mutate(name=",
    ),
    (
        "list",
        lambda: ops.mutate([pl.col("a")]),
        ParameterError,
        "no name",
        None,
        'ops.mutate(name=col("a"))',
    ),
    ("rename onto", lambda: ops.rename({"a": "b"}), SchemaError, "second", "rename", "b_2"),
    ("rename target", lambda: ops.rename({"a": "y"}), SchemaError, "second", "rename", "y_2"),
    ("rename number", lambda: ops.rename({"a": 3}), ParameterError, "cannot name", None, "another"),
    ("rename what", lambda: ops.rename(["a"]), ParameterError, "names cannot be", None, "mapping"),
]


@pytest.mark.parametrize(
    ("name", "make", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(name, make, error, rule, at, fix):
    """Each is refused without data, with the place and what to do; and while fitting."""
    with pytest.raises(FpipeError) as caught:
        fp.check(make(), TASK)
    found = caught.value
    assert type(found) is error, found
    assert found.at == at
    assert rule in found.rule, found
    assert found.got is not None
    assert fix in (found.fix or ""), found
    with pytest.raises(error):
        fp.fit(make() >> ops.scale(), TASK, key=KEY)


def test_what_is_not_set_is_listed():
    """Parameters without a value are listed by check, not fallen over."""
    for graph, path in ((ops.colapply(), "colapply.function"), (ops.rename(), "rename.names")):
        assert fp.check(graph, TASK).missing == (path,)


def test_an_error_in_later_rows_says_so():
    """An expression that is defined at fit and not later is a DataError when it is read."""
    graph = ops.mutate(c=pl.col("a").cast(pl.Int8, strict=True))
    fitted = fp.fit(graph, TASK, key=KEY)
    late = fp.apply(fitted, TASK.table.head(2).with_columns(a=pl.Series([1.0, 1e6])))
    with pytest.raises(DataError, match="cannot be computed"):
        _ = late.table
