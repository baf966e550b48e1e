"""Language codes at the end of file names (ISO 639), as in train.en or my.pt-BR.gz.

A two-letter code must be listed in ISO 639-1. Three letters count as a code unless they are a
common file name extension. A script, a region or both may follow: zh-Hans, en-GB, pt_BR.
"""

from __future__ import annotations

import re
from pathlib import Path

from mtkit.storage.packing import PACKED

ISO_639_1 = frozenset(
    """aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
    de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy
    hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg
    li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or
    os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta
    te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu""".split()  # noqa: SIM905
)
# Language names: in English, in the language itself, and some in neighbouring languages.
_NAMES = """
    ar Arabic العربية, bg Bulgarian български, bn Bengali বাংলা, ca Catalan català, cs Czech čeština,
    cy Welsh Cymraeg, da Danish dansk, de German Deutsch allemand alemán tedesco, el Greek ελληνικά,
    en English Englisch anglais inglés inglese, es Spanish español Spanisch espagnol,
    et Estonian eesti, eu Basque euskara, fa Persian Farsi فارسی, fi Finnish suomi,
    fr French français Französisch francés francese, ga Irish Gaeilge, gl Galician galego,
    he Hebrew עברית, hi Hindi हिन्दी, hr Croatian hrvatski, hu Hungarian magyar,
    id Indonesian Indonesia, is Icelandic íslenska, it Italian italiano Italienisch italien,
    ja Japanese 日本語, ko Korean 한국어, la Latin latina,
    lt Lithuanian lietuvių, lv Latvian latviešu,
    mk Macedonian македонски, ms Malay Melayu, mt Maltese Malti, nb Bokmål, nl Dutch Nederlands,
    nn Nynorsk, no Norwegian norsk, pl Polish polski, pt Portuguese português, ro Romanian română,
    ru Russian русский, sk Slovak slovenčina, sl Slovenian slovenščina, sq Albanian shqip,
    sr Serbian српски srpski, sv Swedish svenska, sw Swahili Kiswahili, th Thai ไทย,
    tr Turkish Türkçe, uk Ukrainian українська, ur Urdu اردو, vi Vietnamese, zh Chinese 中文
"""
NAMES = {
    name.casefold(): code
    for code, *names in (entry.split() for entry in _NAMES.split(","))
    for name in names
}
# File name extensions that name no language, although some are codes of ISO 639-3.
_NO_LANGUAGE = frozenset(
    """all asc ass bak bin bpe cfg csv cut dat dev doc exe gif htm hyp ids idx inc inf ini iso jpg
    lem lex log low lst map new npy odt old one org out pdf php png pos pot raw ref rst rtf seg
    set sgm snt spm src srt sub sys tag tar tbl tei tex tgt tgz tmp tmx tok trg trn tst tsv two
    txt und utf val vcb vec vtt xlf xls xml yml zip""".split()  # noqa: SIM905
)
_CODE = re.compile(
    r"([a-z]{2,3}|[A-Z]{2})([-_][A-Z][a-z]{3})?([-_]([A-Z]{2}|\d{3})|_[a-z]{2})?"  # not en-de
)


def without_packed_suffix(path: Path) -> str:
    """Return the name of a file without the suffix of a compression format."""
    return path.stem if path.suffix in PACKED else path.name


def language_of(path: Path) -> str:
    """Return the language code that a file name ends in: ``train.tok.de.gz`` → ``de``; else ""."""
    stem, _, suffix = without_packed_suffix(path).rpartition(".")
    if not (code := _CODE.fullmatch(suffix)):
        return ""
    base = code[1].lower()
    is_language = base in ISO_639_1 or (stem and len(base) == 3 and base not in _NO_LANGUAGE)
    return suffix if is_language else ""


def languages_named(source: Path, target: Path) -> tuple[str, str]:
    """Return the languages of two file names; the same three letters are none: a.foo, b.foo."""
    pair = language_of(source), language_of(target)
    return ("", "") if pair[0] == pair[1] and len(pair[0]) == 3 else pair


def is_listed(code: str) -> bool:
    """Return whether ISO 639-1 lists ``code``, apart from its script and region."""
    return bool(_CODE.fullmatch(code)) and base(code) in ISO_639_1


def language_called(name: str) -> str:
    """Return the ISO 639-1 code of a language by its name or code; "" for any other word.

    >>> [language_called(name) for name in ("German", "DEUTSCH", "de-AT", "dog")]
    ['de', 'de', 'de', '']
    """
    name = name.strip()
    return NAMES.get(name.casefold(), "") or (base(name) if is_listed(name) else "")


def base(language: str) -> str:
    """Return a code without script and region: ``en-GB`` → ``en``."""
    return re.split("[-_]", language)[0].lower()


def surely_differ(a: str, b: str) -> bool:
    """Return whether two codes are different languages, both listed in ISO 639-1."""
    return base(a) != base(b) and {base(a), base(b)} <= ISO_639_1
