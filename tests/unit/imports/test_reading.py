"""Files of unknown making: encodings, delimiters, and rows that are not rows."""

from __future__ import annotations

import codecs
import tracemalloc
from pathlib import Path

import pytest

from hub.imports import reading
from hub.imports.dialects import examine
from hub.imports.reading import CsvReader, CsvRow, header_of
from hub.sdk.errors import ConfigurationError

TEXT = "source_id,name\nu1,Zażółć\nu2,Ünal\n"


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(folder: Path, content: bytes | str, **said: str) -> list[CsvRow]:
    with CsvReader(examine(written(folder, content), **said)) as reader:
        return list(reader)


def cells(folder: Path, content: bytes | str, **said: str) -> list[list[str]]:
    return [record.cells for record in rows(folder, content, **said)]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), "utf-32"),
    ],
)
def test_an_encoding_of_unicode_is_found_with_and_without_a_mark(tmp_path: Path, content: bytes, name: str) -> None:
    opened = examine(written(tmp_path, content))

    assert opened.dialect.encoding == name
    assert header_of(opened) == ["source_id", "name"]
    assert cells(tmp_path, content) == [["u1", "Zażółć"], ["u2", "Ünal"]]


def test_what_is_no_utf_8_is_windows_1252_or_where_that_has_gaps_latin_1(tmp_path: Path) -> None:
    assert cells(tmp_path, "id,name\n1,Müller €\n".encode("windows-1252")) == [["1", "Müller €"]]
    assert examine(written(tmp_path, b"id,name\n1,\x81\xff\n")).dialect.encoding == "latin-1"


def test_a_letter_that_is_no_utf_8_at_the_very_end_is_found_before_anything_is_imported(tmp_path: Path) -> None:
    content = b"id,name\n" + b"1,Ada\n" * 300_000 + b"2,M\xfcller\n"

    assert examine(written(tmp_path, content)).dialect.encoding == "windows-1252"


def test_a_file_is_utf_8_as_long_as_most_of_it_is(tmp_path: Path) -> None:
    stray = "3,Müller\n".encode("windows-1252")
    found = rows(tmp_path, TEXT.encode() + stray + b"4,Ada\n")

    assert [record.cells[1] for record in found] == ["Zażółć", "Ünal", "Müller", "Ada"]
    assert [bool(record.error) for record in found] == [False, False, True, False]
    assert rows(tmp_path, codecs.BOM_UTF8 + TEXT.encode() + stray)[2].error.startswith("name: not in UTF-8")
    assert examine(written(tmp_path, b"id,name\n" + stray * 100 + "5,Ã©\n".encode())).is_guessed
    with pytest.raises(ConfigurationError, match="The first line is not in UTF-8"):
        header_of(examine(written(tmp_path, b"id,n\xe9\n" + TEXT.encode())))


def test_an_encoding_can_be_said_and_must_fit_the_whole_file(tmp_path: Path) -> None:
    assert cells(tmp_path, "id,n\n1,Łódź\n".encode("iso-8859-2"), encoding="iso-8859-2") == [["1", "Łódź"]]
    assert cells(tmp_path, codecs.BOM_UTF8 + b"id,n\n1,x\n", encoding="utf-8") == [["1", "x"]]
    with pytest.raises(ConfigurationError, match="is not utf-8: near byte 9 "):
        examine(written(tmp_path, b"id,name\n1\xff,x\n"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not utf-16"):
        examine(written(tmp_path, codecs.BOM_UTF16_LE + b"a"))
    for name in ("klingon", "base64", "rot13"):
        with pytest.raises(ConfigurationError, match="There is no encoding"):
            examine(written(tmp_path, TEXT), encoding=name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    content = delimiter.join(["id", "name", "note"]) + "\n" + delimiter.join(["1", "Ada", '"a,b;c|d"']) + "\n"

    assert cells(tmp_path, content) == [["1", "Ada", "a,b;c|d"]]


def test_commas_in_notes_do_not_hide_the_semicolon(tmp_path: Path) -> None:
    assert cells(tmp_path, "id;note\n1;a, b, c\n2;d\n3;e, f\n") == [["1", "a, b, c"], ["2", "d"], ["3", "e, f"]]


def test_excels_first_line_names_the_delimiter_and_is_no_row(tmp_path: Path) -> None:
    opened = examine(written(tmp_path, "sep=|\nid|name\n1|a,b,c,d\n"))

    assert header_of(opened) == ["id", "name"]
    assert cells(tmp_path, "sep=|\nid|name\n1|a,b,c,d\n") == [["1", "a,b,c,d"]]


def test_a_delimiter_can_be_said_and_is_one_character(tmp_path: Path) -> None:
    assert cells(tmp_path, "id~name\n1~x\n", delimiter="~") == [["1", "x"]]
    with pytest.raises(ConfigurationError, match="one character"):
        examine(written(tmp_path, TEXT), delimiter="::")


@pytest.mark.parametrize("content", [b"", b"\n\n  \r\n", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="is empty"):
        examine(written(tmp_path, content))


def test_line_breaks_of_every_system_and_inside_quotes(tmp_path: Path) -> None:
    assert cells(tmp_path, 'id,note\r\n1,"two\r\nlines"\r\n2,"say ""hi"""\n3,x\r4,y') == [
        ["1", "two\r\nlines"],
        ["2", 'say "hi"'],
        ["3", "x"],
        ["4", "y"],
    ]


def test_rows_are_numbered_without_the_header_and_blank_ones_and_know_their_line(tmp_path: Path) -> None:
    found = rows(tmp_path, 'id,note\n\n1,"a\nb"\n,\n2,c\n')

    assert [(record.number, record.line, record.cells[0]) for record in found] == [(1, 3, "1"), (2, 6, "2")]


def test_names_of_columns_are_trimmed_and_empty_ones_at_the_end_left_out(tmp_path: Path) -> None:
    assert header_of(examine(written(tmp_path, " id , First Name ,,\n1,2,,\n"))) == ["id", "First Name"]


def test_text_behind_a_closing_quote_is_an_error_of_that_row_alone(tmp_path: Path) -> None:
    found = rows(tmp_path, 'id,size\n1,"5" pipe"\n2,ok\n')

    assert "closing quote" in found[0].error
    assert found[1].cells == ["2", "ok"]


def test_a_quote_that_is_never_closed_is_an_error(tmp_path: Path) -> None:
    assert "never closed" in rows(tmp_path, 'id,name\n1,ok\n2,"open\n3,x\n')[1].error


def test_a_row_of_ten_megabytes_is_an_error_and_reading_goes_on(tmp_path: Path) -> None:
    huge = "x" * 10_000_000
    found = rows(tmp_path, f'id,name\n1,{huge}\n2,"{huge[:5]}\n{huge}\n,,"\n3,ok\n')

    assert ["longer than" in record.error for record in found] == [True, True, False]
    assert found[2].cells == ["3", "ok"]
    assert found[2].line == 6


def test_a_quote_that_swallows_megabytes_says_where_it_was_opened(tmp_path: Path) -> None:
    content = 'id,name\n1,"open\n' + "2,some text\n" * 200_000

    assert rows(tmp_path, content)[0].error.startswith("A quote opened in line 2 is never closed")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    opened = examine(written(tmp_path, "id,name\n" + "1,Ada Quill of Bristol\n" * 200_000 + "2," + "x" * 9_000_000))
    tracemalloc.start()
    with CsvReader(opened) as reader:
        count = sum(1 for _ in reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 200_001
    assert peak < 16 * reading.RECORD_CHARS
