"""Pages: the same content as Markdown and as HTML, with nothing in a text taken for markup."""

import re
from html.parser import HTMLParser

import pytest

from rollingball.app.paper.page import Heading, Items, Paragraph, Picture, Table, markdown, to_html

VOID = {"meta", "img"}
WILD = 'a < b & c > d | *e* _f_ `g` [h](i) <script>alert("j")</script> \\'
BLOCKS = [
    Heading(WILD, 1),
    Paragraph(WILD),
    Items([WILD, "second"]),
    Table(["left", WILD], [[WILD, "1"], ["2", "|θ| < 1"]]),
    Picture("figure1.png", 'what it "shows"'),
]


class Read(HTMLParser):
    """The text and attributes of a page; an unbalanced tag is a failure."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.attributes, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(page):
    reader = Read()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_reader_finds_what_is_not_closed():
    with pytest.raises(AssertionError):
        read("<p><b>text</p>")


def test_html_is_well_formed_and_shows_every_text_as_it_is():
    reader = read(to_html(BLOCKS, WILD))
    assert "script" not in reader.tags
    assert reader.texts.count(WILD) == 6  # title, heading, paragraph, item, header, cell
    assert ("alt", 'what it "shows"') in reader.attributes
    assert reader.tags.count("td") == 4
    assert reader.tags.count("th") == 2


def test_markdown_escapes_what_would_be_markup():
    text = markdown(BLOCKS)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3, 3]
    plain = re.sub(r"\\(.)", "", text)
    assert not re.search(r"[*_`<]", plain.replace("* ", "", 2))
    assert text.count("![") == 1
    assert re.sub(r"\\(.)", r"\1", text).count(WILD) == 5
