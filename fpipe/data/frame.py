"""Bringing tables of any make into one form: a polars frame with known column types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fpipe.core.errors import DataError, SchemaError
from fpipe.data.lazy.columns import is_lazy


def as_frame(data: Any) -> pl.DataFrame:
    """Return data as a polars frame.

    Arrays, tensors and pandas objects are copied, since polars would look into their memory and
    so follow what is written there later; polars and Arrow tables cannot be written into.

    Args:
        data: a polars frame (lazy or not), a pandas frame, an Arrow table, a mapping of
            columns, or the path of a CSV or Parquet file. Text columns of a CSV file that hold
            nothing but dates, or dates with times, as ISO 8601 writes them become such.

    Raises:
        SchemaError: a column name occurs twice or is no string, one value stands beside columns, or
            the form is unknown.
        DataError: columns have different lengths, or a file cannot be read.

    Example:
        >>> as_frame({"x": [1, 2]}).shape
        (2, 1)
    """
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, str | Path):
        return _read(Path(data))
    _check_names(data)
    try:
        if isinstance(data, Mapping):
            _check_columns(data)
            return pl.DataFrame({name: _plain_values(name, x) for name, x in data.items()})
        frame = pl.DataFrame(_own(data)) if _is_foreign(data) else None
    except (pl.exceptions.PolarsError, ValueError, TypeError, ImportError) as error:
        raise DataError("the columns do not make a table.", got=str(error)[:200]) from error
    if not isinstance(frame, pl.DataFrame):
        raise SchemaError(
            f"{type(data).__name__} is no table.",
            expected="a polars or pandas frame, an Arrow table, a mapping of columns, or a path",
            got=type(data).__name__,
            fix='pass {"column": values, …}',
        )
    return frame


def _plain_values(name: str, values: Any) -> Any:
    """Return a list in the form polars wants: integers and floats as floats, arrays as one."""
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1:
        # polars would keep numbers among None as Python objects.
        values = values.tolist()
    if not isinstance(values, list | tuple):
        return _own(values)
    kinds = {type(x) for x in values} - {type(None)}
    if kinds == {int, float}:
        return [None if x is None else float(x) for x in values]
    return _stacked(name, values) if kinds == {np.ndarray} else values


def _check_columns(data: Mapping[str, Any]) -> None:
    """Refuse one value beside columns, which polars would repeat; single values are one row."""
    single = [name for name, values in data.items() if _is_single(values)]
    if single and len(single) < len(data):
        raise SchemaError(
            f"column '{single[0]}' is one value, and others have one per row.",
            expected="a list or an array with one value per row",
            got=f"{data[single[0]]!r} ({type(data[single[0]]).__name__})"[:80],
            fix=f"{{'{single[0]}': [...]}}, with one value per row",
            column=single[0],
        )


def _is_single(values: Any) -> bool:
    several = hasattr(values, "__iter__") and not isinstance(values, str | bytes)
    return not several or getattr(values, "ndim", 1) == 0


def _own(values: Any) -> Any:
    """Return values in memory that nobody else can write into."""
    package = type(values).__module__.partition(".")[0]
    if package == "torch":
        return np.array(values.numpy(force=True))
    return deepcopy(values) if package == "pandas" or isinstance(values, np.ndarray) else values


def _stacked(name: str, arrays: Sequence[Any]) -> Any:
    """Return one array per row as one array; unlike shapes cannot make a column of tensors."""
    shapes = {None if array is None else array.shape for array in arrays}
    if len(shapes) > 1:
        found = sorted({"missing" if shape is None else str(shape) for shape in shapes})
        raise DataError(
            f"the arrays in column '{name}' have different shapes.",
            expected="one shape in every row",
            got=", ".join(found[:6]),
            fix="pad or resize them to one shape",
            column=name,
        )
    return np.stack(arrays)


def clean(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the frame with some columns in the types that features have.

    Text becomes an ``Enum`` with sorted levels, NaN becomes missing, decimals become floats.
    Dates stay, and so do tensors of one shape (``pl.Array``), with any NaN in them: a tensor has
    no missing elements.

    Raises:
        SchemaError: a column has a type that cannot be a feature.
    """
    return frame.with_columns([_clean_column(frame[name]) for name in columns])


def text_levels(series: pl.Series) -> tuple[str, ...]:
    """Return the distinct values of a column as sorted strings (numbers in numeric order)."""
    distinct = series.drop_nulls().unique()
    if isinstance(series.dtype, pl.Enum):
        present = set(distinct.cast(pl.String).to_list())
        return tuple(level for level in series.dtype.categories if level in present)
    if isinstance(series.dtype, pl.Categorical):
        distinct = distinct.cast(pl.String)
    return tuple(_as_text(distinct.sort()).to_list())


def as_enum(series: pl.Series, levels: tuple[str, ...]) -> pl.Series:
    """Return a column as an ``Enum``; a value that is no level becomes missing."""
    return _as_text(series).cast(pl.Enum(list(levels)), strict=False)


def _as_text(series: pl.Series) -> pl.Series:
    """Return a column as strings, truth values spelt as Python spells them."""
    if series.dtype == pl.Boolean:
        text = pl.select(pl.when(series).then(pl.lit("True")).when(~series).then(pl.lit("False")))
        return text.to_series().alias(series.name)
    return series.cast(pl.String)


def _clean_column(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if dtype.is_float():
        return series.fill_nan(None)
    if isinstance(dtype, pl.Decimal):
        return series.cast(pl.Float64)
    if isinstance(dtype, pl.String | pl.Categorical):
        return as_enum(series, text_levels(series))
    if isinstance(dtype, pl.Null):
        return series.cast(pl.Float64)
    if dtype.is_integer() or dtype.is_temporal() or isinstance(dtype, pl.Boolean | pl.Enum):
        return series
    if isinstance(dtype, pl.Array) and _is_plain(element_type(dtype)):
        return series
    if is_lazy(dtype):
        return series
    raise SchemaError(
        f"column '{series.name}' has the type {dtype}, which cannot be a feature.",
        expected="numbers, text, truth values, dates, or tensors of one shape (pl.Array)",
        got=str(dtype),
        fix=_feature_fix(series),
    )


def element_type(dtype: pl.DataType) -> pl.DataType:
    """Return the type of the elements of a column of lists or tensors, however deep.

    Example:
        >>> element_type(pl.Array(pl.Float32, (4, 4)))
        Float32
    """
    while isinstance(dtype, pl.List | pl.Array):
        dtype = dtype.inner if isinstance(dtype.inner, pl.DataType) else dtype.inner()
    return dtype


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Boolean)


def _feature_fix(series: pl.Series) -> str:
    if isinstance(series.dtype, pl.List) and _is_plain(element_type(series.dtype)):
        return (
            f"where all lists are equally long: "
            f"data.with_columns(pl.col('{series.name}').list.to_array(width))"
        )
    if isinstance(series.dtype, pl.Object):
        kinds = sorted({type(x).__name__ for x in series.drop_nulls().to_list()})
        return (
            f"give '{series.name}' a type first (it holds {', '.join(kinds[:4])}), "
            "such as np.asarray(values, dtype=float), or drop it"
        )
    return f"convert or drop '{series.name}' first"


def _read(path: Path) -> pl.DataFrame:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": _read_csv,
        ".parquet": pl.read_parquet,
    }
    if path.suffix not in readers:
        raise DataError(
            f"files ending in '{path.suffix}' are not read.",
            expected=" or ".join(readers),
            got=str(path),
        )
    try:
        return readers[path.suffix](path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError("the file cannot be read.", got=str(error)[:200], at=str(path)) from error


def _is_foreign(data: Any) -> bool:
    return hasattr(data, "__arrow_c_stream__") or type(data).__module__.startswith("pandas")


def _check_names(data: Any) -> None:
    columns = getattr(data, "column_names", None) or getattr(data, "columns", None)
    names = list(columns) if columns is not None else list(data) if _listable(data) else []
    for name in names:
        if not isinstance(name, str):
            raise SchemaError(
                "a column name is no string.", expected="str", got=repr(name), fix="rename it"
            )
        if names.count(name) > 1:
            raise SchemaError(
                f"the column '{name}' occurs {names.count(name)} times.",
                expected="unique column names",
                got=", ".join(names[:12]),
                fix="rename or drop the repeated columns",
            )


def _listable(data: Any) -> bool:
    return isinstance(data, Mapping)


_DAY = r"\d{4}-\d{2}-\d{2}"
_MOMENT = _DAY + r"[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?"


def _read_csv(path: Path) -> pl.DataFrame:
    # polars' own try_parse_dates also reads 01/02/2020, whose month nobody can tell.
    frame = pl.read_csv(path)
    return frame.with_columns([_dated(x) for x in frame.get_columns() if x.dtype == pl.String])


def _dated(series: pl.Series) -> pl.Series:
    """Return text as dates or points in time, where every value is one as ISO 8601 writes it."""
    found = series.drop_nulls()
    try:
        if found.len() and found.str.contains(f"^{_DAY}$").all():
            return series.str.to_date("%Y-%m-%d")
        if found.len() and found.str.contains(f"^{_MOMENT}$").all():
            return series.str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f")
    except pl.exceptions.PolarsError:
        # Such as the 30th of February: it stays text.
        return series
    return series
