"""Reading CSV files: what is accepted, and one clear error for each way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanlib.errors import InputError
from kanlib.table import Table, read_table

DATA = Path(__file__).parents[1] / "tutorials" / "data"
ROWS = "1,2\n2,4\n3,6\n4,8\n5,11\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n" + ROWS,
        "a;b\n" + ROWS.replace(",", ";"),
        "a\tb\n" + ROWS.replace(",", "\t"),
        "\ufeffa,b\n" + ROWS,
        "a,b\r\n" + ROWS.replace("\n", "\r\n"),
        "a,b\r" + ROWS.replace("\n", "\r"),
        "# source: a book\n\na , b\n\n" + ROWS + "\n# the end\n",
        '"a","b"\n' + ROWS.replace("1,", '"1", '),
        "a,b\n" + ROWS.rstrip("\n"),
        "a,b\n" + ROWS.replace("2,4", "+2.,.4e1"),
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "mark",
        "windows",
        "old-mac",
        "comments",
        "quotes",
        "no-newline",
        "forms",
    ],
)
def test_spellings_of_one_table(write, text: str) -> None:
    table = read_table(write(text))
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2], [2, 4], [3, 6], [4, 8], [5, 11]])
    assert table.values.dtype == np.float64


def test_a_quoted_name_may_hold_the_delimiter(write) -> None:
    assert read_table(write('"a, in m";b;"c"\n' + "1;2;3\n" * 5)).names == ("a, in m", "b", "c")


BAD = {
    "empty": ("", "empty; expected a header line"),
    "only comments": ("# nothing\n", "empty; expected a header line"),
    "no header": (ROWS, "Line 1 holds only numbers (1, 2); expected a header line"),
    "commented header": ("# a,b\n" + ROWS, "Line 2 holds only numbers (1, 2); expected a header line"),
    "no rows": ("a,b\n", "has 0 rows of data; expected at least 5"),
    "few rows": ("a,b\n1,2\n2,3\n3,5\n4,6\n", "has 4 rows of data; expected at least 5"),
    "one column": ("a\n1\n2\n3\n4\n5\n", "Line 1 names one column ('a')"),
    "spaces": ("a b\n1 2\n2 3\n3 4\n4 5\n5 6\n", "Line 1 names one column ('a b')"),
    "same names": ("a,a\n" + ROWS, "Line 1: two columns are named 'a'"),
    "no name": ("a,\n" + ROWS, "Line 1: column 2 of 2 has no name"),
    "ragged": ("a,b\n1,2\n2\n" + ROWS, "Line 3 has 1 cells; expected 2"),
    "ragged, after a comment": ("a,b\n# c\n1,2,3\n" + ROWS, "Line 3 has 3 cells; expected 2"),
    "text": ("a,b\n1,red\n" + ROWS, "Line 2, column 'b' is 'red'; expected a number"),
    "long text": ("a,b\n1," + "x" * 99 + "\n" + ROWS, "Line 2, column 'b' is 'xxx"),
    "units": ("a,b\n1,2 m\n" + ROWS, "Line 2, column 'b' is '2 m'; expected a number"),
    "underscore": ("a,b\n1,2_000\n" + ROWS, "is '2_000'; expected a number"),
    "other digits": ("a,b\n1,\u0662\n" + ROWS, "is '\u0662'; expected a number"),
    "decimal comma": ("a;b\n1;2,5\n" + ROWS, "Line 2, column 'b' is '2,5'; expected a number like 1234.5"),
    "empty cell": ("a,b\n1,\n" + ROWS, "Line 2, column 'b' is missing (empty cell)"),
    "NA": ("a,b\nNA,1\n" + ROWS, "Line 2, column 'a' is missing ('NA')"),
    "NaN": ("a,b\n1,nan\n" + ROWS, "Line 2, column 'b' is missing ('nan')"),
    "infinity": ("a,b\n1,-inf\n" + ROWS, "Line 2, column 'b' is infinite ('-inf')"),
    "overflow": ("a,b\n1,1e999\n" + ROWS, "Line 2, column 'b' is infinite ('1e999')"),
    "open quote": ('a,b\n1,"2\n' + ROWS, "is not valid CSV after line 1"),
    "binary": (b"a,b\n1,\x00\n", "is a binary file"),
    "excel": (b"PK\x03\x04 and so on", "an Excel or zip file; export the sheet as CSV"),
    "utf-16": ("a,b\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    "latin-1": ("a,\u00b5\n".encode("latin-1"), "is not UTF-8 text (line 1)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(write, name: str) -> None:
    content, message = BAD[name]
    with pytest.raises(InputError) as caught:
        read_table(write(content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is a folder; expected a CSV file"):
        read_table(tmp_path)


def test_columns_by_name_leave_the_others_unread(write) -> None:
    path = write("who,a,b\n" + "".join(f"x{i},{i},{2 * i}\n" for i in range(6)))
    table = read_table(path, columns=["b", "a"])
    assert table.names == ("b", "a")
    np.testing.assert_array_equal(table.values[:, 0], 2 * table.values[:, 1])
    with pytest.raises(InputError, match=r"no column 'A'; the columns are who, a, b\. Did you mean 'a'\?"):
        read_table(path, columns=["A", "b"])
    with pytest.raises(InputError, match="'a' is asked for twice"):
        read_table(path, columns=["a", "a"])


def test_rows_by_the_text_of_a_column() -> None:
    treated = read_table(DATA / "puromycin.csv", where={"state": "treated"})
    untreated = read_table(DATA / "puromycin.csv", where={"state": "untreated"})
    assert treated.names == untreated.names == ("conc", "rate")
    assert treated.values.shape == (12, 2) and untreated.values.shape == (11, 2)
    with pytest.raises(InputError, match="has 0 rows of data where state=both"):
        read_table(DATA / "puromycin.csv", where={"state": "both"})
    with pytest.raises(InputError, match=r"no column 'State'; .*Did you mean 'state'"):
        read_table(DATA / "puromycin.csv", where={"State": "treated"})


def test_split_into_inputs_and_target() -> None:
    table = Table(("p", "q", "r"), np.arange(18.0).reshape(6, 3))
    X, y, names = table.split("q")
    assert names == ("p", "r") and X.shape == (6, 2)
    np.testing.assert_array_equal(y, table.values[:, 1])
    with pytest.raises(InputError, match=r"no column 'Q'; the columns are p, q, r\. Did you mean 'q'"):
        table.split("Q")
    with pytest.raises(InputError, match="'p' is the only column"):
        Table(("p",), np.arange(6.0)[:, None]).split("p")
    with pytest.raises(InputError, match="'p' is 1 in all 6 rows"):
        Table(("p", "q"), np.ones((6, 2))).split("p")


def test_a_wide_table_lists_its_first_columns() -> None:
    table = Table(tuple(f"x{i}" for i in range(500)), np.random.default_rng(0).normal(size=(6, 500)))
    with pytest.raises(InputError) as caught:
        table.split("y")
    assert "(500 in all)" in str(caught.value) and len(str(caught.value)) < 400


def test_the_planets_obey_kepler() -> None:
    X, y, names = read_table(DATA / "planets.csv").split("T_years")
    assert names == ("a_au",) and len(y) == 8
    np.testing.assert_allclose(y, X[:, 0] ** 1.5, rtol=1e-3)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_table_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "table.csv"
    path.write_bytes(data)
    try:
        table = read_table(path)
    except InputError:
        return
    assert np.isfinite(table.values).all()


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=5, max_size=8))
def test_floats_survive_to_the_bit(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float]]) -> None:
    path = tmp_path_factory.mktemp("floats") / "table.csv"
    path.write_text("a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in rows))
    np.testing.assert_array_equal(read_table(path).values, rows)
